"""A Redis that has used up its memory: nothing is added, and everything that lets go still runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable
from queueing.message import Delivery, Message, new_id
from queueing.topic import Topic

DIARY = Topic("diary", retention_messages=10)


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
    broker.produce([Message(new_id(), "diary", str(n), "tests.DayPassed", 1, b"{}", 0) for n in range(number)])


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
