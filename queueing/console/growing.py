"""What an operator does to a topic: let it grow, and see how far it and its groups have come."""

from __future__ import annotations

import getpass
import logging

import msgspec

from queueing.conf import make_broker, subscriptions

logger = logging.getLogger("queueing.console")


class SplitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One partition that is split. waiting: groups that do not read the new one yet."""

    partition: str
    new: str
    done: bool
    waiting: list[str]


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """unfinished: a growth to `becomes` was broken off, and goes on with it. splits: of the growth to `becomes`."""

    topic: str
    partitions: int
    becomes: int
    unfinished: bool
    splits: list[SplitRow]


def next_growth(*, topic: str) -> Growth:
    """What growing would do now: finish what was broken off, or double.

    Raises:
        UnknownTopic, CannotGrow: there is no such topic, or its partitions are its keys.
        BrokerUnavailable: Redis does not answer.
    """
    return _look(topic, becomes=None)


def grow_topic(*, topic: str, to: int) -> Growth:
    """Split partitions until the topic has so many; doing it again changes nothing. Returns how it stands then.

    Raises:
        UnknownTopic, CannotGrow: as above, or `to` is no doubling.
        BrokerUnavailable: Redis went away; do it again to finish it.
    """
    logger.warning("%s lets %s grow to %d partitions", getpass.getuser(), topic, to)
    broker = make_broker()
    try:
        broker.grow(topic, to)
    finally:
        broker.redis.close()
    return _look(topic, becomes=to)


def _look(topic: str, *, becomes: int | None) -> Growth:
    groups = [group for group, subscription in sorted(subscriptions().items()) if topic in subscription.topics]
    broker = make_broker()
    try:
        grown = broker.growth(topic, groups, becomes=becomes)
    finally:
        broker.redis.close()
    return Growth(
        topic=topic,
        partitions=grown.partitions,
        becomes=grown.becomes,
        unfinished=grown.unfinished,
        splits=[
            SplitRow(partition=seen.split.partition, new=seen.split.child, done=seen.done, waiting=list(seen.waiting))
            for seen in grown.splits
        ],
    )
