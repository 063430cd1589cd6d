"""Takes one sample of the whole queue: four pipelines to Redis, one statement to PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import connection
from msgspec.structs import replace

from queueing import keys
from queueing.about import About
from queueing.broker import GroupStats
from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_stats import read_stats_at
from queueing.brokers.redis_streams.capping import caps_from
from queueing.brokers.redis_streams.liveness import abouts_from
from queueing.conf import subscriptions, topics
from queueing.console.link import client
from queueing.console.snapshot import Consumer, Counts, Group, Outbox, Snapshot, TopicCounts, added_up
from queueing.db import away_is_not_failure
from queueing.errors import StoreUnavailable
from queueing.faults.fault import Kind
from queueing.health import RELAY

Place = tuple[str, str, str]  # topic, partition, group
Beats = Mapping[bytes, bytes]

_OUTBOX = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp()) * 1000 - min(produced_at_ms), 0)
    FROM queueing_outboxmessage
"""


def take_sample() -> Snapshot:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    known = _what_is_known()
    now_ms, stats = read_stats_at(client(), known.places)
    return Snapshot(
        taken_at_ms=now_ms,
        total=Counts(**added_up(stats)),
        groups=[
            replace(
                _group(group, stats, known, now_ms),
                paused=group.encode() in known.paused,
                caps={**subscription.caps, **known.caps[group]},
            )
            for group, subscription in sorted(subscriptions().items())
        ],
        outbox=_outbox(known.beats[RELAY], now_ms),
    )


def places() -> list[Place]:
    """Every partition of every group."""
    return _what_is_known().places


class _Known(NamedTuple):
    places: list[Place]
    beats: dict[str, Beats]
    caps: dict[str, dict[str, float | None]]  # set by operators
    abouts: dict[str, dict[str, About]]
    paused: set[bytes]


def _what_is_known() -> _Known:
    partitions = read_partitions(client(), topics().values())
    everybody = [*sorted(subscriptions()), RELAY]
    with client().pipeline(transaction=False) as pipe:
        for group in everybody:
            pipe.hgetall(keys.seen(group))
        for group in everybody:
            pipe.hgetall(keys.caps(group))
        for group in everybody:
            pipe.hgetall(keys.about(group))
        pipe.smembers(keys.PAUSED)
        pipe.mget([keys.fault(Kind.LIFT, group) for group in subscriptions()])
        *replies, paused, lifts = pipe.execute()
    found = [
        (topic, partition, group)
        for group, subscription in sorted(subscriptions().items())
        for topic in subscription.topics
        for partition in partitions[topic].partitions
    ]
    lifted = {group for group, lift in zip(subscriptions(), lifts, strict=True) if lift}
    beats, caps, abouts = (replies[n * len(everybody) :][: len(everybody)] for n in range(3))
    return _Known(
        found,
        dict(zip(everybody, beats, strict=True)),
        {
            group: caps_from(fields, lifted_from=subscriptions()[group].topics if group in lifted else ())
            for group, fields in zip(everybody, caps, strict=True)
        },
        {group: abouts_from(fields) for group, fields in zip(everybody, abouts, strict=True)},
        paused,
    )


def _group(group: str, stats: Sequence[GroupStats], known: _Known, now_ms: int) -> Group:
    subscription = subscriptions()[group]
    mine = [row for row in stats if row.group == group]
    by_topic = {topic: [row for row in mine if row.topic == topic] for topic in subscription.topics}
    return Group(
        group=group,
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
