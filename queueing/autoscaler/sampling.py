"""One look a second at all groups: two round trips, and no more than a scaler needs to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from queueing import keys
from queueing.autoscaler.brain import Seen
from queueing.autoscaler.history import Totals
from queueing.autoscaler.records import Beat, beats_from, limits_of, state_from
from queueing.brokers.redis_layout import Known, read_partitions
from queueing.brokers.redis_streams.capping import caps_from
from queueing.capping import cap_of
from queueing.faults.fault import Kind
from queueing.subscription import Subscription
from queueing.topic import Topic

Place = tuple[str, str, str]  # topic, partition, group


class Look(NamedTuple):
    """now_ms: by Redis's clock."""

    now_ms: int
    groups: dict[str, Seen]
    supervisors: dict[str, Beat]


def look(client: Any, subscriptions: Mapping[str, Subscription], topics: Mapping[str, Topic]) -> Look:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    layout = read_partitions(client, topics.values())
    logs = [(topic, partition) for topic, known in layout.items() for partition in known.partitions]
    places = [
        (topic, partition, group)
        for group, subscription in subscriptions.items()
        for topic in subscription.topics
        for partition in layout[topic].partitions
    ]
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.hgetall(keys.SCALERS)
        pipe.smembers(keys.PAUSED)
        for group in subscriptions:
            pipe.hgetall(keys.scale(group))
            pipe.hgetall(keys.caps(group))
            pipe.hgetall(keys.beats(group))
            pipe.exists(keys.fault(Kind.LIFT, group))
        for log in logs:
            pipe.hmget(keys.meta(*log), "appended", "trimmed")
        for place in places:
            pipe.hmget(keys.counters(*place), "skipped", "acked")
        (seconds, microseconds), supervisors, paused, *replies = pipe.execute()
    now_ms = seconds * 1000 + microseconds // 1000
    of_groups, counted = replies[: 4 * len(subscriptions)], replies[4 * len(subscriptions) :]
    totals = _totals(places, dict(zip(logs, counted, strict=False)), counted[len(logs) :])
    return Look(
        now_ms=now_ms,
        groups={
            group: _seen(subscription, layout, totals[group], of_groups[4 * n : 4 * n + 4], now_ms, paused)
            for n, (group, subscription) in enumerate(subscriptions.items())
        },
        supervisors=beats_from(supervisors),
    )


def _totals(
    places: list[Place], logs: Mapping[tuple[str, str], Any], counters: list[Any]
) -> dict[str, dict[str, Totals]]:
    """Group → topic → totals."""
    found: dict[str, dict[str, Totals]] = defaultdict(dict)
    for (topic, partition, group), (skipped, acked) in zip(places, counters, strict=True):
        appended, trimmed = logs[topic, partition]
        # Who has not begun yet will start with the first entry that is kept.
        passed_over = int(trimmed or 0) if skipped is None else int(skipped)
        before = found[group].get(topic, Totals(0, 0))
        produced = before.produced + int(appended or 0) - passed_over
        found[group][topic] = Totals(produced, before.acked + int(acked or 0))
    return found


def _seen(
    subscription: Subscription,
    layout: Mapping[str, Known],
    totals: dict[str, Totals],
    replies: list[Any],
    now_ms: int,
    paused: set[bytes],
) -> Seen:
    state, caps, beats, lifted = replies
    set_to = caps_from(caps, lifted_from=subscription.topics if lifted else ())
    return Seen(
        limits=limits_of(subscription, sum(len(layout[topic].partitions) for topic in subscription.topics)),
        topics=totals,
        caps={topic: cap_of(topic, declared=subscription.caps, set_to=set_to) for topic in subscription.topics},
        paused=subscription.group.encode() in paused,
        state=state_from(state, now_ms),
        beats={name.decode(): beat.decode() for name, beat in beats.items()},
    )
