"""What Redis knows of the house beside its counters: partitions, consumers, caps, pauses, and what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from queueing import keys
from queueing.about import About
from queueing.autoscaler.asking import Wanted, read_all
from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_streams.capping import caps_from
from queueing.brokers.redis_streams.liveness import abouts_from
from queueing.conf import subscriptions, topics
from queueing.console.link import client
from queueing.faults.fault import Kind
from queueing.health import RELAY

Place = tuple[str, str, str]  # topic, partition, group
Beats = Mapping[bytes, bytes]


class Known(NamedTuple):
    places: list[Place]
    beats: dict[str, Beats]
    caps: dict[str, dict[str, float | None]]  # set by operators
    abouts: dict[str, dict[str, About]]
    paused: set[bytes]
    leases: dict[Place, str]  # of ordered groups: who may read a partition
    wanted: dict[str, Wanted]  # of groups that an autoscaler looks after, or an operator holds


def places() -> list[Place]:
    """Every partition of every group.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    partitions = read_partitions(client(), topics().values())
    return [
        (topic, partition, group)
        for group, subscription in sorted(subscriptions().items())
        for topic in subscription.topics
        for partition in partitions[topic].partitions
    ]


def what_is_known() -> Known:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = places()
    leased = [place for place in found if subscriptions()[place[2]].mode == "ordered"]
    everybody = [*sorted(subscriptions()), RELAY]
    with client().pipeline(transaction=False) as pipe:
        for key in (keys.seen, keys.caps, keys.about):
            for group in everybody:
                pipe.hgetall(key(group))
        pipe.smembers(keys.PAUSED)
        pipe.mget([keys.fault(Kind.LIFT, group) for group in subscriptions()])
        for place in leased:
            pipe.hget(keys.lease(*place), "owner")
        told = iter(pipe.execute())
    beats, caps, abouts = ({group: next(told) for group in everybody} for _ in range(3))
    paused, lifts, *owners = islice(told, 2 + len(leased))
    lifted = {group for group, lift in zip(subscriptions(), lifts, strict=True) if lift}
    return Known(
        places=found,
        beats=beats,
        caps={
            group: caps_from(fields, lifted_from=subscriptions()[group].topics if group in lifted else ())
            for group, fields in caps.items()
        },
        abouts={group: abouts_from(fields) for group, fields in abouts.items()},
        paused=paused,
        leases={place: owner.decode() for place, owner in zip(leased, owners, strict=True) if owner},
        wanted={
            group: wanted for group, wanted in read_all().items() if wanted.reason or wanted.actual or wanted.held_until
        },
    )
