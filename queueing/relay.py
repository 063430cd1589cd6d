"""The outbox relay: what was committed is told, in commit order per key.

Rows are cut into lanes by key. A relay owns a lane while it holds that lane's advisory lock, which PostgreSQL frees
when its session ends; so two relays never overtake each other, and a dead one's lanes are free at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import connection

from queueing import tracing
from queueing.broker import Broker
from queueing.crashpoint import crashpoint
from queueing.db import away_is_not_failure, one_transaction
from queueing.errors import TopicFull
from queueing.message import Message
from queueing.outbox import LANES
from queueing.tide import note_tide

logger = logging.getLogger("queueing.relay")

LOCK_CLASS = 0x51C5  # advisory locks of the outbox: (LOCK_CLASS, lane)
BATCH = 1000

# Deleted first and told in the same transaction: a row is locked while it is being told, so `cancel` can't take back
# what is under way. A relay that dies in between rolls back, and its rows are told once more.
_TAKE = """
    DELETE FROM queueing_outboxmessage
    WHERE id = ANY(ARRAY(SELECT id FROM queueing_outboxmessage WHERE lane = ANY(%s) AND topic = ANY(%s)
                         ORDER BY id LIMIT %s))
    RETURNING id, message_id::text, topic, key, name, version, body, headers, produced_at_ms, deliver_at_ms
"""


_UNDECLARED = "SELECT topic, count(*) FROM queueing_outboxmessage WHERE topic <> ALL(%s) GROUP BY topic ORDER BY topic"
SAY_UNDECLARED_S = 60.0


@dataclass(slots=True)
class Relay:
    """Moves outbox rows to their topics. Each row once; after a crash between telling and deleting, once more.

    A topic that is full, or that nobody declares, keeps its own rows waiting and no other's.
    """

    broker: Broker
    clock: Callable[[], float] = time.monotonic
    _lanes: list[int] = field(default_factory=list, init=False)
    _full: dict[str, float] = field(default_factory=dict, init=False)  # topic → when it may be told again
    _say_next: float = field(default=float("-inf"), init=False)

    def own_lanes(self) -> list[int]:
        """Take every lane nobody owns. Returns all that are ours."""
        with away_is_not_failure(), connection.cursor() as cursor:
            for lane in set(range(LANES)) - set(self._lanes):
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, lane])
                if cursor.fetchone()[0]:
                    self._lanes.append(lane)
        return sorted(self._lanes)

    def forget_lanes(self) -> None:
        """The session that held the locks is gone; so are they."""
        self._lanes.clear()

    def release_lanes(self) -> None:
        """Give every lane up while the session goes on: a pooled one would hold them for nobody."""
        with away_is_not_failure(), connection.cursor() as cursor:
            for lane in self._lanes:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, lane])
        self._lanes.clear()

    def step(self) -> int:
        """Tell one batch. Returns how many rows."""
        self._say_what_is_undeclared()
        rows: list[tuple[Any, ...]] = []
        try:
            with one_transaction(), connection.cursor() as cursor:
                cursor.execute(_TAKE, [self._lanes, self._open_topics(), BATCH])
                rows = sorted(cursor.fetchall())
                if rows:
                    crashpoint("relay.taken")
                    self.broker.produce(_traced([_message(row) for row in rows]))
                    note_tide(self.broker)
                    crashpoint("relay.produced")
        except TopicFull as full:
            logger.warning("%s", full)
            return self._forget_what_was_told(rows, full)
        if rows:
            crashpoint("relay.deleted")
        return len(rows)

    def _open_topics(self) -> list[str]:
        now = self.clock()
        return [topic for topic in self.broker.topics if self._full.get(topic, now) <= now]

    def _forget_what_was_told(self, rows: list[tuple[Any, ...]], full: TopicFull) -> int:
        """All rows came back with their transaction, also those that were told before or beside what was refused."""
        for message in full.refused:
            self._full[message.topic] = self.clock() + full.retry_after
        refused = {message.id for message in full.refused}
        told = [id_ for id_, message_id, *_ in rows if message_id not in refused]
        if told:
            with one_transaction(), connection.cursor() as cursor:
                cursor.execute("DELETE FROM queueing_outboxmessage WHERE id = ANY(%s)", [told])
                note_tide(self.broker)
        return len(told)

    def _say_what_is_undeclared(self) -> None:
        if self.clock() < self._say_next:
            return
        self._say_next = self.clock() + SAY_UNDECLARED_S
        with away_is_not_failure(), connection.cursor() as cursor:
            cursor.execute(_UNDECLARED, [list(self.broker.topics)])
            for topic, count in cursor.fetchall():
                logger.error("%d outbox rows wait for topic %r, which nobody declares", count, topic)


def _traced(messages: list[Message]) -> list[Message]:
    if not tracing.on:
        return messages
    from queueing.telemetry import sent

    return sent(messages)


def _message(row: tuple[object, ...]) -> Message:
    _, message_id, topic, key, name, version, body, headers, produced_at_ms, deliver_at_ms = row
    return Message(
        id=str(message_id),
        topic=str(topic),
        key=str(key),
        name=str(name),
        version=int(str(version)),
        body=str(body).encode(),
        headers=headers if isinstance(headers, dict) else msgspec.json.decode(str(headers)),
        produced_at_ms=int(str(produced_at_ms)),
        deliver_at_ms=int(str(deliver_at_ms)),
    )
