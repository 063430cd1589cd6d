"""Who is alive, for /healthz and for operators."""

from __future__ import annotations

from typing import NamedTuple

from queueing import keys
from queueing.autoscaler.records import state_from
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import subscriptions

RELAY = "-relay"  # kept like a consumer's beat; no group can have this name


def relay_beat(broker: RedisStreamsBroker) -> None:
    broker.beat(RELAY, "relay")


class Sign(NamedTuple):
    """age_s: seconds since any consumer of the group last beat, by Redis's clock; None: never. stopped: an operator
    holds the group at no consumers, so nobody is missing."""

    age_s: float | None
    stopped: bool = False


def signs_of_life(broker: RedisStreamsBroker) -> dict[str, Sign]:
    """Of each group, and of "relay".

    Raises:
        redis.RedisError: Redis is away.
    """
    names = [*sorted(subscriptions()), RELAY]
    with broker.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.hvals(keys.seen(name))
            pipe.hgetall(keys.scale(name))
        (seconds, microseconds), *replies = pipe.execute()
    now_ms = seconds * 1000 + microseconds // 1000
    found = {}
    for name, seen, scale in zip(names, replies[::2], replies[1::2], strict=True):
        hold = state_from(scale, now_ms).hold
        age_s = (now_ms - max(map(int, seen))) / 1000 if seen else None
        found[name.removeprefix("-")] = Sign(age_s, stopped=hold is not None and hold.consumers == 0)
    return found
