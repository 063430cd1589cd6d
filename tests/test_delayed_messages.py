"""Delayed messages outlive Redis: a Valkey of the test's own, killed and started again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack.valkey import Valkey
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable
from queueing.message import Message, new_id
from queueing.topic import Topic


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


def remind(*, in_s: float) -> Message:
    due_ms = int((time.time() + in_s) * 1000)
    return Message(new_id(), "eggs", "ann", "tests.EggTimerRang", 1, b'{"egg":"ann"}', due_ms, deliver_at_ms=due_ms)


def test_delayed_messages_outlive_a_killed_redis_and_their_producer(server: Valkey) -> None:
    producer = RedisStreamsBroker({"eggs": Topic("eggs")}, url=server.url)
    soon, later, unwanted = remind(in_s=0.5), remind(in_s=3600), remind(in_s=3600)
    producer.produce([soon, later, unwanted])
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    with pytest.raises(BrokerUnavailable):
        producer.promote(["eggs"])
    producer.redis.close()

    server.start()
    consumer = RedisStreamsBroker({"eggs": Topic("eggs")}, url=server.url)
    assert consumer.cancel(unwanted.id)
    deadline = time.monotonic() + 10
    heard = []
    while not heard:
        assert time.monotonic() < deadline, "it never came"
        consumer.promote(["eggs"])
        heard = consumer.read("cooks", "ada", ["eggs"], 10, 0)

    [delivery] = heard
    appended_ms = int(delivery.offset.split("-")[0])
    assert delivery.message == soon
    assert soon.deliver_at_ms <= appended_ms
    assert [row.later for row in consumer.stats({"cooks": ["eggs"]})] == [1]
    consumer.redis.close()
