"""The queue against the same Redis commands sent raw by redis-py: what envelope, counters and checks cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from benchmarks import raw
from benchmarks.parcel import TOPICS, Parcel, parcels
from benchmarks.row import PAIRS, Row, rates
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.subscription import Subscription
from queueing.worker import READ_WAIT_S, Worker

MESSAGES, BATCH = 20_000, 500


def rows(redis_url: str, *, messages: int = MESSAGES, pairs: int = PAIRS) -> Iterator[Row]:
    bench = _Bench(redis_url, messages)
    ours, theirs = rates(bench.produce, bench.raw_produce, pairs=pairs)
    yield Row("produce many, 500 a batch", "messages/s", ours, "raw XADD, pipelined, same bytes", theirs, 0.8)
    ours, theirs = rates(bench.consume, bench.raw_consume, pairs=pairs)
    yield Row("consume by batch handler, inbox off", "messages/s", ours, "raw XREADGROUP + XACK by 500", theirs, 0.7)
    bench.client.flushdb()


class _Bench:
    def __init__(self, url: str, messages: int) -> None:
        self.client: Any = redis.Redis.from_url(url)
        self.url, self.messages = url, messages

    def _broker(self) -> RedisStreamsBroker:
        self.client.flushdb()
        return RedisStreamsBroker(TOPICS, url=self.url)

    def produce(self) -> float:
        broker, messages = self._broker(), parcels(self.messages)
        started = time.perf_counter()
        for start in range(0, self.messages, BATCH):
            broker.produce(messages[start : start + BATCH])
        return self.messages / (time.perf_counter() - started)

    def raw_produce(self) -> float:
        return raw.produce(self.client, parcels(self.messages), batch=BATCH)

    def consume(self) -> float:
        broker = self._broker()
        broker.produce(parcels(self.messages))
        seen = 0

        def handler(events: Sequence[Parcel]) -> None:
            nonlocal seen
            seen += len(events)

        worker = Worker(Subscription("bench", {Parcel: handler}, batch_size=BATCH), broker)
        started = time.perf_counter()
        while seen < self.messages:
            worker.step(READ_WAIT_S)
        return self.messages / (time.perf_counter() - started)

    def raw_consume(self) -> float:
        raw.produce(self.client, parcels(self.messages), batch=BATCH)
        return raw.consume(self.client, self.messages, batch=BATCH)
