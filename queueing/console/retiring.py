"""Retire a consumer group that no program declares any more: its floor holds up trimming, its rows stay for ever."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib.admin.models import DELETION
from django.db import connection

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.console.logbook import write_down
from queueing.errors import QueueingError
from queueing.models import Fence, InboxGeneration

BATCH = 5_000
SILENT_S = 60.0  # a consumer that beat more lately may still be at work
_OF_GROUP = """("group" = %s OR starts_with("group", %s || '#'))"""  # the second: its inbox's generations


class StillAtWork(QueueingError):
    """A consumer of this group was seen lately."""


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What a group leaves in a partition."""

    topic: str
    partition: str
    lag: int
    in_flight: int
    delayed: int
    parked: int
    dead: int


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    remains: list[Remains]
    inbox_rows: int


def undeclared_groups() -> list[str]:
    """Groups that Redis knows and no subscription declares."""
    broker = make_broker()
    try:
        return sorted(broker.places_of_groups().keys() - subscriptions().keys())
    finally:
        broker.redis.close()


def retire_group(*, group: str, user: Any = None, dry_run: bool = False) -> Retired:
    """Forget a group: its place in every partition, what it holds, its dead letters, its inbox.

    Interrupted anywhere and run again, it does the rest.
    user: who asks, for the log; must have queueing.operate, which the caller checks. Needed unless it is a dry run.

    Raises:
        ValueError: it is declared, or nothing of it is left.
        StillAtWork: a consumer of it beat within the last minute.
    """
    if group in subscriptions():
        raise ValueError(f"{group} is declared by an app's handlers.py; take it out of there first")
    broker = make_broker()
    try:
        found = Retired(group=group, remains=_remains(broker, group), inbox_rows=_count_inbox(group))
        if not found.remains and not found.inbox_rows:
            left = ", ".join(undeclared_groups())
            raise ValueError(f"nothing is left of a group {group!r}; undeclared and not retired: {left or 'none'}")
        ago_s = broker.last_beat_ago_s(group)
        if ago_s is not None and ago_s < SILENT_S:
            raise StillAtWork(f"a consumer of {group} beat {ago_s:.0f} s ago; stop them all, and wait a minute")
        if not dry_run:
            # Redis first, the inbox last: as long as a message may come, its inbox row is there.
            write_down(user, group, f"Retiring {group}: {_in_words(found)}", flag=DELETION)
            broker.retire(group)
            _delete_rows(group)
            write_down(user, group, f"Retired {group}", flag=DELETION)
    finally:
        broker.redis.close()
    return found


def _remains(broker: RedisStreamsBroker, group: str) -> list[Remains]:
    places = set(broker.places_of_groups().get(group, ()))
    rows = broker.stats({group: sorted({topic for topic, _ in places})})
    return [
        Remains(
            topic=row.topic,
            partition=row.partition,
            lag=row.lag,
            in_flight=row.in_flight,
            delayed=row.delayed,
            parked=row.parked,
            dead=row.dead,
        )
        for row in rows
        if (row.topic, row.partition) in places
    ]


def _in_words(found: Retired) -> str:
    lost = sum(row.lag + row.delayed + row.parked + row.dead for row in found.remains)
    return f"{len(found.remains)} partitions, {lost} messages it never handled, {found.inbox_rows} inbox rows"


def _count_inbox(group: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM queueing_inboxentry WHERE {_OF_GROUP}", [group, group])  # noqa: S608
        return int(cursor.fetchone()[0])


def _delete_rows(group: str) -> None:
    """In batches of their own transactions, so that nobody waits for it long."""
    delete = f"""
        DELETE FROM queueing_inboxentry WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM queueing_inboxentry WHERE {_OF_GROUP} LIMIT {BATCH}))"""  # noqa: S608
    with connection.cursor() as cursor:
        while True:
            cursor.execute(delete, [group, group])
            if cursor.rowcount < BATCH:
                break
    Fence.objects.filter(group=group).delete()
    InboxGeneration.objects.filter(group=group).delete()
