"""Takes one sample of the whole queue: a few pipelines to Redis, one statement to PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection
from msgspec.structs import replace

from queueing.broker import GroupStats
from queueing.conf import subscriptions
from queueing.console.knowing import Beats, Known, what_is_known
from queueing.console.link import client
from queueing.console.resting import Counters
from queueing.console.snapshot import Consumer, Counts, Group, Outbox, Snapshot, TopicCounts, added_up
from queueing.db import away_is_not_failure
from queueing.errors import StoreUnavailable
from queueing.health import RELAY

_OUTBOX = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp()) * 1000 - min(produced_at_ms), 0)
    FROM queueing_outboxmessage
"""


def take_sample(counters: Counters | None = None) -> Snapshot:
    """counters: of whoever takes one sample after the other.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    known = what_is_known()
    now_ms, stats = (counters or Counters()).read(client(), known.places)
    return Snapshot(
        taken_at_ms=now_ms,
        total=Counts(**added_up(stats)),
        groups=[
            replace(
                _group(group, stats, known, now_ms),
                paused=group.encode() in known.paused,
                caps={**subscription.caps, **known.caps[group]},
                wanted=known.wanted.get(group),
            )
            for group, subscription in sorted(subscriptions().items())
        ],
        outbox=_outbox(known.beats[RELAY], now_ms),
    )


def _group(group: str, stats: Sequence[GroupStats], known: Known, now_ms: int) -> Group:
    subscription = subscriptions()[group]
    mine = [row for row in stats if row.group == group]
    by_topic = {topic: [row for row in mine if row.topic == topic] for topic in subscription.topics}
    return Group(
        group=group,
        ordered=subscription.mode == "ordered",
        topics=[
            TopicCounts(
                topic=topic,
                partitions=len(rows),
                kept=sum(row.kept for row in rows),
                trimmed=sum(row.trimmed for row in rows),
                produced=sum(row.appended for row in rows),
                **added_up(rows),
            )
            for topic, rows in by_topic.items()
        ],
        consumers=[
            Consumer(
                name=name,
                last_beat_ms=ago,
                alive=ago <= subscription.lease_s * 1000,
                in_flight=sum(row.in_hands.get(name, 0) for row in mine),
                about=known.abouts[group].get(name),
                partitions=[
                    f"{row.topic}/{row.partition}"
                    for row in mine
                    if row.in_hands.get(name) or known.leases.get((row.topic, row.partition, group)) == name
                ],
            )
            for name, ago in sorted(
                (name.decode(errors="replace"), max(0, now_ms - int(at))) for name, at in known.beats[group].items()
            )
        ],
        **added_up(mine),
    )


def _outbox(relay: Beats, now_ms: int) -> Outbox | None:
    try:
        with away_is_not_failure(), connection.cursor() as cursor:
            cursor.execute(_OUTBOX)
            waiting, oldest = cursor.fetchone()
    except StoreUnavailable:
        return None
    return Outbox(
        waiting=waiting,
        oldest_age_ms=max(0, round(oldest)),
        relay_beat_ms=max(0, now_ms - max(map(int, relay.values()))) if relay else None,
    )
