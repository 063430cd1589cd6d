"""A Redis that has used up its memory: nothing is added, and everything that lets go still runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal

import pytest
import redis

from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable
from queueing.event import Event
from queueing.health import relay_beat
from queueing.message import Delivery, Message
from queueing.ordered import OrderedWorker
from queueing.subscription import Subscription
from queueing.tests.test_ordered_worker import Fences
from queueing.topic import Topic
from queueing.upkeep import Upkeep
from queueing.worker import Worker

DIARY = Topic("diary", retention_messages=10)


class DayPassed(Event):
    wire = "tests.DayPassed"
    topic = "diary"
    key_field = "day"

    day: str


@pytest.fixture
def redis_url(own_redis_url: str) -> str:
    """Its memory is the whole server's, so this is no number of the shared one."""
    return own_redis_url


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker({DIARY.name: DIARY}, url=redis_url)
    yield broker
    broker.redis.close()


def write(broker: RedisStreamsBroker, number: int) -> None:
    broker.produce([Message.of(DayPassed(day=str(n))) for n in range(number)])


def read(broker: RedisStreamsBroker) -> list[Delivery]:
    return broker.read("aunts", "ada", ["diary"], 10_000, 0)


def fill(client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)


def test_it_refuses_to_append_and_still_lets_go(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    write(broker, 3)
    one, two, three = read(broker)
    why = Failure("ValueError: spoilt", "Traceback …")

    fill(client)

    with pytest.raises(BrokerUnavailable, match="OutOfMemory"):
        write(broker, 1)
    assert broker.ack("aunts", "ada", [one]) == 1
    assert broker.retry("aunts", "ada", two, 1, why, count=True)
    assert broker.bury("aunts", "ada", three, why)
    [row] = [row for row in broker.stats({"aunts": ["diary"]}) if row.appended]
    assert (row.appended, row.acked, row.done, row.delayed, row.dead) == (3, 3, 1, 1, 1)


def test_it_is_trimmed_all_the_same(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    write(broker, 100)
    broker.ack("aunts", "ada", read(broker))

    fill(client)

    assert broker.trim("diary", ["aunts"]) == 90


def test_a_consumer_can_start(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    """Otherwise nobody could drain it."""
    write(broker, 5)

    fill(client)

    assert broker.ack("aunts", "ada", read(broker)) == 5


def drain(worker: Worker, seen: list[DayPassed], number: int) -> None:
    deadline = time.monotonic() + 10
    while len(seen) < number and time.monotonic() < deadline:
        worker.step(0.05)


@pytest.mark.parametrize("start", ["beginning", "now"])
def test_whole_consumers_drain_it(
    start: Literal["beginning", "now"], broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    """A consumer does more than reading and acknowledging: it beats, looks whether it is paused, pays for its cap."""
    seen: list[DayPassed] = []
    subscription = Subscription("aunts", {DayPassed: seen.extend}, rate=1_000, start=start)
    Worker(subscription, broker).step(0)
    write(broker, 5)

    fill(client)
    drain(Worker(subscription, broker), seen, 5)

    assert len(seen) == 5
    assert [row.lag for row in broker.stats({"aunts": ["diary"]})] == [0]


def test_whole_consumers_drain_it_in_order(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    seen: list[DayPassed] = []
    subscription = Subscription("aunts", {DayPassed: seen.extend}, mode="ordered")
    fences = Fences()
    write(broker, 5)

    fill(client)
    drain(OrderedWorker(subscription, broker, [fences.transaction], authority=fences), seen, 5)

    assert [event.day for event in seen] == ["0", "1", "2", "3", "4"]


def test_the_relay_says_that_it_lives_and_trims(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    write(broker, 100)
    broker.ack("aunts", "ada", read(broker))

    fill(client)
    relay_beat(broker)
    Upkeep(broker, {}).turn()

    assert client.xlen("q:{diary:0}:log") == 10
