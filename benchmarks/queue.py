"""The queue against the same Redis commands sent raw by redis-py: what envelope, counters and checks cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import redis

from benchmarks.row import Row, rates
from queueing.brokers.envelope import to_arguments
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.event import Event
from queueing.message import Message, new_id
from queueing.subscription import Subscription
from queueing.topic import Topic
from queueing.worker import Worker

MESSAGES, BATCH = 20_000, 500
BODY = b'{"order_id":"01890f3e-7c1a-7d33-9a3b-6f2f1c9d8e70","sale_id":7,"user_id":4211,"quantity":1,"pad":"."}'
_names = count()


class Parcel(Event):
    wire = "bench.Parcel"
    topic = "parcels"

    order_id: str
    sale_id: int
    user_id: int
    quantity: int
    pad: str


def rows(redis_url: str) -> Iterator[Row]:
    client: Any = redis.Redis.from_url(redis_url)
    bench = _Bench(client, redis_url)
    ours, theirs = rates(bench.produce, bench.raw_produce)
    yield Row("produce many (500 a batch)", "messages/s", ours, "raw pipelined XADD of the same bytes", theirs, 0.8)
    ours, theirs = rates(bench.consume, bench.raw_consume)
    yield Row("consume by batch handler, inbox off", "messages/s", ours, "raw XREADGROUP + XACK by 500", theirs, 0.7)
    yield bench.memory()
    client.flushdb()


class _Bench:
    def __init__(self, client: Any, url: str) -> None:
        self.client, self.url = client, url

    def _broker(self) -> RedisStreamsBroker:
        self.client.flushdb()
        return RedisStreamsBroker({"parcels": Topic("parcels")}, url=self.url)

    def produce(self) -> float:
        broker, messages = self._broker(), _messages()
        started = time.perf_counter()
        for start in range(0, MESSAGES, BATCH):
            broker.produce(messages[start : start + BATCH])
        return MESSAGES / (time.perf_counter() - started)

    def raw_produce(self) -> float:
        self.client.flushdb()
        entries = [_fields(message) for message in _messages()]
        started = time.perf_counter()
        self._raw_xadd(entries)
        return MESSAGES / (time.perf_counter() - started)

    def _raw_xadd(self, entries: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(entries), BATCH):
            with self.client.pipeline(transaction=False) as pipe:
                for fields in entries[start : start + BATCH]:
                    pipe.xadd("raw", fields)
                pipe.execute()

    def consume(self) -> float:
        broker = self._broker()
        broker.produce(_messages())
        seen = 0

        def handler(events: Sequence[Parcel]) -> None:
            nonlocal seen
            seen += len(events)

        worker = Worker(Subscription("bench", {Parcel: handler}, batch_size=BATCH), broker)
        started = time.perf_counter()
        while seen < MESSAGES:
            worker.step(0)
        return MESSAGES / (time.perf_counter() - started)

    def raw_consume(self) -> float:
        self.client.flushdb()
        self._raw_xadd([_fields(message) for message in _messages()])
        self.client.xgroup_create("raw", "bench", id="0")
        seen, started = 0, time.perf_counter()
        while seen < MESSAGES:
            reply = self.client.xreadgroup("bench", "ada", {"raw": ">"}, count=BATCH)
            chunk = reply[b"raw"][0] if isinstance(reply, dict) else reply[0][1]
            self.client.xack("raw", "bench", *[offset for offset, _ in chunk])
            seen += len(chunk)
        return MESSAGES / (time.perf_counter() - started)

    def memory(self) -> Row:
        """Body bytes per byte of Redis memory: 0.5 means a waiting message takes twice its body."""
        broker = self._broker()
        before = self.client.info("memory")["used_memory"]
        broker.produce(_messages())
        taken = (self.client.info("memory")["used_memory"] - before) / MESSAGES
        return Row("body per waiting message", "bytes", len(BODY), "Redis memory per waiting message", taken, 0.5)


def _messages() -> list[Message]:
    run = next(_names)
    return [
        Message(new_id(), "parcels", f"{run}-{n}", "bench.Parcel", 1, BODY, 1_700_000_000_000) for n in range(MESSAGES)
    ]


def _fields(message: Message) -> dict[str, Any]:
    id_, name, version, key, at, body, _ = to_arguments(message)
    return {"id": id_, "n": name, "v": version, "k": key, "at": at, "b": body}
