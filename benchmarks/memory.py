"""What a message costs in Redis's memory, and what it costs more once a group has read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from benchmarks.parcel import BODY, TOPIC, TOPICS, parcels
from benchmarks.row import Row
from queueing.brokers.redis_streams import RedisStreamsBroker

MESSAGES = 20_000


def rows(redis_url: str, *, messages: int = MESSAGES) -> Iterator[Row]:
    """Two keys: a sale's number, as in the admission log, and an order's UUID, as in everything after it."""
    for key, what in (("4211", "key a sale's number"), (None, "key an order's UUID")):
        waiting, pending = _cost(redis_url, messages, key)
        yield Row(f"waiting message, {what}", "bytes", waiting, "its body of 100 bytes", len(BODY), 2.0, at_most=True)
    yield Row("  and more per group that is at it", "bytes", pending, "its body of 100 bytes", len(BODY), None)


def _cost(url: str, messages: int, key: str | None) -> tuple[float, float]:
    client: Any = redis.Redis.from_url(url)
    client.flushdb()
    broker = RedisStreamsBroker(TOPICS, url=url)
    batches = parcels(messages, key=key)
    # Scripts, connections and the group itself are there before the count: they are no message's cost.
    broker.produce(parcels(1))
    broker.read("bench", "ada", [TOPIC], 1, 0)
    start = _used(client)
    broker.produce(batches)
    waiting = _used(client)
    left = messages
    while left:
        left -= len(broker.read("bench", "ada", [TOPIC], 500, 0))
    pending = _used(client)
    client.flushdb()
    return (waiting - start) / messages, (pending - waiting) / messages


def _used(client: Any) -> int:
    return int(client.info("memory")["used_memory_dataset"])
