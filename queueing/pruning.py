"""Deleting inbox rows of messages that can no longer come.

A row may go when its message is in no outbox, waits nowhere, stands in no log and is held by no group. So every place
is looked through first, in the direction in which messages move: one that moves meanwhile is met where it arrives.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from django.db import connection

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.subscription import Subscription

BATCH = 5_000
YOUNGEST_S = 3600.0  # rows younger than this stay, whatever was seen: clocks differ, and the look takes a while

_CHUNK = """
    SELECT message_id, handled_at < to_timestamp(%s)
           AND NOT EXISTS (SELECT FROM queueing_may_come m WHERE m.message_id = i.message_id)
    FROM queueing_inboxentry i WHERE "group" = %s AND message_id > %s ORDER BY message_id LIMIT %s
"""
_OLD_GENERATIONS = """
    SELECT name FROM (SELECT DISTINCT "group" AS name FROM queueing_inboxentry) i
    JOIN queueing_inboxgeneration g ON split_part(name, '#', 1) = g."group"
    WHERE name <> g."group" || '#' || g.number
"""


def prune_inbox(
    broker: RedisStreamsBroker,
    subscriptions: Mapping[str, Subscription],
    *,
    now: float | None = None,
    dry_run: bool = False,
) -> dict[str, int]:
    """Consumer group → how many rows went. Batches of their own transactions, so that nobody waits for it long.

    A group that hears only topics which keep everything has nothing to prune and is not looked at.
    now: seconds since 1970; for tests.
    """
    older_than = (time.time() if now is None else now) - YOUNGEST_S
    topics = broker.topics
    prunable = [
        group for group, sub in subscriptions.items() if not all(topics[name].keeps_everything for name in sub.topics)
    ]
    found = {}
    with _may_come(broker, {group: subscriptions[group].topics for group in prunable}):
        for group in prunable:
            found[group] = sum(_chunks(_current(group), older_than, dry_run=dry_run))
    for name in _old_generations():
        group = name.partition("#")[0]
        found[group] = found.get(group, 0) + sum(_chunks(name, older_than, dry_run=dry_run, all_of_it=True))
    return found


def _chunks(inbox: str, older_than: float, *, dry_run: bool, all_of_it: bool = False) -> Iterator[int]:
    last = uuid.UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            if all_of_it:
                cursor.execute(
                    'SELECT message_id, true FROM queueing_inboxentry WHERE "group" = %s AND message_id > %s'
                    " ORDER BY message_id LIMIT %s",
                    [inbox, last, BATCH],
                )
            else:
                cursor.execute(_CHUNK, [older_than, inbox, last, BATCH])
            rows = cursor.fetchall()
            gone = [message_id for message_id, may_go in rows if may_go]
            if gone and not dry_run:
                cursor.execute(
                    'DELETE FROM queueing_inboxentry WHERE "group" = %s AND message_id = ANY(%s)', [inbox, gone]
                )
        yield len(gone)
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


@contextmanager
def _may_come(broker: RedisStreamsBroker, groups: Mapping[str, Iterable[str]]) -> Iterator[None]:
    """A temporary table of every message that may still come to one of these groups."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE queueing_may_come AS SELECT message_id FROM queueing_outboxmessage")
        try:
            for ids in broker.may_come(groups):
                cursor.execute("INSERT INTO queueing_may_come SELECT unnest(%s::uuid[])", [_uuids(ids)])
            cursor.execute("CREATE INDEX ON queueing_may_come (message_id)")
            cursor.execute("ANALYZE queueing_may_come")
            yield
        finally:
            cursor.execute("DROP TABLE queueing_may_come")


def _uuids(ids: Iterable[bytes]) -> list[str]:
    """Another program's entries have other ids, and no inbox rows."""
    found = []
    for message_id in ids:
        try:
            found.append(str(uuid.UUID(message_id.decode())))
        except ValueError:
            continue
    return found


def _current(group: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute('SELECT number FROM queueing_inboxgeneration WHERE "group" = %s', [group])
        row = cursor.fetchone()
    return group if row is None else f"{group}#{row[0]}"


def _old_generations() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_OLD_GENERATIONS)
        return [name for (name,) in cursor.fetchall()]
