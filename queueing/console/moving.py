"""What an operator does to a whole group: put it somewhere else in its topics, pause it, let it go on."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from queueing.broker import Position
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.errors import QueueingError
from queueing.inbox import next_generation
from queueing.pruning import prune_inbox
from queueing.subscription import WHOLE_GROUP, Subscription

logger = logging.getLogger("queueing.console")


class NotRebuildable(QueueingError):
    """Processing again would repeat effects: stock, money or messages to people."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Where a group stands in one partition."""

    topic: str
    partition: str
    lag_before: int
    lag: int  # after the move, or as it would be


def reset_group(
    *, group: str, topic: str, to: Position, partition: str = "", reprocess: bool = False, dry_run: bool = False
) -> list[Move]:
    """Put a group at a position in every partition of a topic, or in one.

    reprocess: with an empty inbox, so that what was handled is handled again. Otherwise what comes again is recognised.

    Raises:
        NotRebuildable: reprocess, and the subscription does not allow it.
        ValueError: there is no such group, topic, partition or offset.
    """
    subscription = _must_hear(group, topic)
    if reprocess and not subscription.rebuildable:
        raise NotRebuildable(
            f"{group} is not declared rebuildable, so its effects are never made again; "
            "--redeliver lets its messages come again and skips what it has handled"
        )
    with _broker() as broker:
        partitions = broker.partitions(topic)
        if partition and partition not in partitions:
            raise ValueError(f"{topic} has no partition {partition!r}")
        before = {row.partition: row for row in broker.stats({group: [topic]})}
        chosen = [partition] if partition else partitions
        ahead = {name: broker.seek(group, topic, name, to, dry_run=True) for name in chosen}  # raises before any move
        if not dry_run:
            if reprocess:
                logger.warning("%s begins generation %d of its inbox", group, next_generation(group))
            for name in chosen:
                broker.seek(group, topic, name, to)
            logger.warning("%s put %s at %s in %s, %s", getpass.getuser(), group, to, topic, ", ".join(chosen))
        after = {row.partition: row.lag for row in broker.stats({group: [topic]})}
    return [
        Move(topic=topic, partition=name, lag_before=before[name].lag, lag=ahead[name] if dry_run else after[name])
        for name in chosen
    ]


def pause_group(*, group: str, paused: bool) -> None:
    """Let every consumer of the group finish what it holds and read nothing, until it is resumed."""
    with _broker() as broker:
        (broker.pause if paused else broker.resume)(group)
    logger.warning("%s %s %s", getpass.getuser(), "paused" if paused else "resumed", group)


def set_rate(*, group: str, topic: str = WHOLE_GROUP, rate: float | None) -> None:
    """Cap a group, or one topic of it, at `rate` messages a second whatever its subscription declares; None: no cap."""
    _must_hear(group, topic)
    with _broker() as broker:
        broker.set_rate(group, rate, topic=topic)
    how = "no cap" if rate is None else f"a cap of {rate:g} messages/s"
    logger.warning("%s gave %s %s", getpass.getuser(), " ".join(filter(None, (group, topic))), how)


def forget_rate(*, group: str, topic: str = WHOLE_GROUP) -> None:
    """Let the cap that the subscription declares hold again."""
    _must_hear(group, topic)
    with _broker() as broker:
        broker.forget_rate(group, topic=topic)
    logger.warning("%s gave %s its declared cap back", getpass.getuser(), " ".join(filter(None, (group, topic))))


def prune(*, dry_run: bool = False) -> dict[str, int]:
    """Delete inbox rows of messages that can no longer come. Consumer group → how many."""
    with _broker() as broker:
        return prune_inbox(broker, subscriptions(), dry_run=dry_run)


def _must_hear(group: str, topic: str) -> Subscription:
    """
    Raises:
        ValueError: there is no such group, or it does not hear this topic.
    """
    subscription = subscriptions().get(group)
    if subscription is None:
        raise ValueError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
    if topic not in (WHOLE_GROUP, *subscription.topics):
        raise ValueError(f"{group} does not hear {topic!r}; it hears: {', '.join(subscription.topics)}")
    return subscription


@contextmanager
def _broker() -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    try:
        yield broker
    finally:
        broker.redis.close()
