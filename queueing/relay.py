"""The outbox relay: what was committed is told, in commit order per key.

Rows are cut into lanes by key. A relay owns a lane while it holds that lane's advisory lock, which PostgreSQL frees
when its session ends; so two relays never overtake each other, and a dead one's lanes are free at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import msgspec
from django.db import connection

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
    WHERE id = ANY(ARRAY(SELECT id FROM queueing_outboxmessage WHERE lane = ANY(%s) ORDER BY id LIMIT %s))
    RETURNING id, message_id::text, topic, key, name, version, body, headers, produced_at_ms, deliver_at_ms
"""


@dataclass(slots=True)
class Relay:
    """Moves outbox rows to their topics. Each row once; after a crash between telling and deleting, once more."""

    broker: Broker
    _lanes: list[int] = field(default_factory=list, init=False)

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
        try:
            with one_transaction(), connection.cursor() as cursor:
                cursor.execute(_TAKE, [self._lanes, BATCH])
                rows = sorted(cursor.fetchall())
                if rows:
                    crashpoint("relay.taken")
                    self.broker.produce([_message(row) for row in rows])
                    note_tide(self.broker)
                    crashpoint("relay.produced")
        except TopicFull as full:
            logger.warning("%s", full)
            return 0
        if rows:
            crashpoint("relay.deleted")
        return len(rows)


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
