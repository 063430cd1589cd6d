"""Who is alive, for /healthz and for operators."""

from __future__ import annotations

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import subscriptions

RELAY = "-relay"  # kept like a consumer's beat; no group can have this name


def relay_beat(broker: RedisStreamsBroker) -> None:
    broker.beat(RELAY, "relay")


def last_seen_s(broker: RedisStreamsBroker) -> dict[str, float | None]:
    """Group (and "relay") → seconds since any of its consumers last beat, by Redis's clock; None: never.

    Raises:
        redis.RedisError: Redis is away.
    """
    names = [*sorted(subscriptions()), RELAY]
    with broker.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.hvals(keys.seen(name))
        (seconds, microseconds), *beats = pipe.execute()
    now_ms = seconds * 1000 + microseconds // 1000
    return {
        name.removeprefix("-"): (now_ms - max(map(int, seen))) / 1000 if seen else None
        for name, seen in zip(names, beats, strict=True)
    }
