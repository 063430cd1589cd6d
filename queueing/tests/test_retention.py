"""Trimming and seeking on Redis itself: in bounded steps, by scripts that race with each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from queueing import keys
from queueing.broker import BEGINNING
from queueing.brokers import redis_seek
from queueing.brokers.memory import MemoryBroker
from queueing.brokers.redis_streams import RedisStreamsBroker, retaining
from queueing.message import Message, new_id
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.topic import Topic
from queueing.upkeep import TRIM_EVERY_S, Upkeep

TOPICS = {"diary": Topic("diary", retention_messages=10)}
LOG, META = keys.log("diary", "0"), keys.meta("diary", "0")


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


def write(broker: RedisStreamsBroker | MemoryBroker, number: int) -> None:
    broker.produce([Message(new_id(), "diary", str(n), "tests.DayPassed", 1, b"{}", 0) for n in range(number)])


def read_all(broker: RedisStreamsBroker | MemoryBroker, group: str = "aunts") -> list[str]:
    batch = broker.read(group, "ada", ["diary"], 10_000, 0)
    broker.ack(group, "ada", batch)
    return [delivery.offset for delivery in batch]


def test_a_long_log_is_trimmed_in_bounded_steps(
    broker: RedisStreamsBroker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "AT_ONCE", 100)
    monkeypatch.setattr(retaining, "STEPS", 3)
    write(broker, 1000)
    read_all(broker)

    assert [broker.trim("diary", ["aunts"]) for _ in range(5)] == [300, 300, 300, 90, 0]

    about = client.xinfo_stream(LOG)
    assert (about["length"], about["entries-added"]) == (10, 1000)
    assert about["max-deleted-entry-id"] == b"0-0", "nothing was deleted one by one"
    assert client.hget(META, "trimmed") == b"990"


def test_a_trim_while_a_position_is_counted_is_noticed(
    broker: RedisStreamsBroker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(broker, 50)
    offsets = read_all(broker)
    measured: list[redis_seek.Place] = []
    measure = redis_seek.measure

    def slowly(*args: object) -> redis_seek.Place:
        measured.append(measure(*args))  # type: ignore[arg-type]
        if len(measured) == 1:
            assert broker.trim("diary", ["aunts"]) == 40
        return measured[-1]

    monkeypatch.setattr(redis_seek, "measure", slowly)
    broker.seek("aunts", "diary", "0", offsets[45])

    assert [(place.below, place.trimmed) for place in measured] == [(45, 0), (45, 40)]
    [row] = broker.stats({"aunts": ["diary"]})
    assert (row.lag, row.kept, row.acked, row.skipped) == (5, 10, 50, -5)
    assert read_all(broker) == offsets[45:]


@pytest.mark.parametrize("page", [3, 10, 1000])
def test_positions_are_counted_over_any_number_of_pages(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(redis_seek, "PAGE", page)
    write(broker, 30)
    offsets = read_all(broker)

    lags = [broker.seek("aunts", "diary", "0", offsets[n]) for n in (0, 9, 10, 29)]

    assert lags == [30, 21, 20, 1]
    assert sum(row.lag for row in broker.stats({"aunts": ["diary"]})) == 1
    assert broker.seek("aunts", "diary", "0", BEGINNING) == 30


def test_upkeep_promotes_each_turn_and_trims_now_and_then() -> None:
    clock = Clock()
    broker = MemoryBroker(TOPICS, clock=clock, sleep=clock.advance)
    upkeep = Upkeep(broker, {"aunts": Subscription("aunts", {}), "uncles": Subscription("uncles", {})}, clock)
    upkeep.turn()
    write(broker, 30)
    read_all(broker)
    broker.produce([Message(new_id(), "diary", "x", "tests.DayPassed", 1, b"{}", 0, deliver_at_ms=500)])

    clock.advance(1)
    upkeep.turn()
    [row] = broker.stats({"aunts": ["diary"]})
    assert (row.later, row.appended, row.trimmed) == (0, 31, 0)

    clock.advance(TRIM_EVERY_S)
    upkeep.turn()
    [row] = broker.stats({"aunts": ["diary"]})
    assert (row.trimmed, row.kept, row.lag) == (21, 10, 1)
