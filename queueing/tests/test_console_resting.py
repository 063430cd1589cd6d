"""A house that has had a thousand sales pays each second for those that live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from queueing.broker import BEGINNING, GroupStats
from queueing.brokers.redis_stats import read_stats, read_stats_at
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.console import reading, resting
from queueing.console.knowing import places
from queueing.console.moving import reset_group
from queueing.console.reading import Reader
from queueing.console.resting import READ_AGAIN, Counters
from queueing.console.snapshot import Counts, Snapshot
from queueing.tests.console import TOPICS, placed

SALES = 60


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    """Sixty sales are over: each had an order that everybody has handled."""
    broker = make_broker()
    broker.produce([placed(str(number)) for number in range(SALES)])
    for group in subscriptions():
        for _ in range(5):
            broker.ack(group, "ada", broker.read(group, "ada", TOPICS, 500, 0))
    yield broker
    broker.redis.close()


def test_sales_that_are_over_are_looked_at_and_not_read(
    broker: RedisStreamsBroker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two dozen commands for each that is read, one for each that is looked at."""
    read: list[int] = []

    def counted(client: redis.Redis, where: list[tuple[str, str, str]]) -> tuple[int, list[GroupStats]]:
        read.append(len({place[:2] for place in where}))
        return read_stats_at(client, where)

    monkeypatch.setattr(resting, "read_stats_at", counted)
    counters = Counters()
    for _ in range(4):
        counters.read(client, places())

    assert read[0] > SALES
    assert read[1:] == [READ_AGAIN] * 3, "those whose turn it is"


def test_it_says_what_the_counters_say_whatever_happens(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    counters = Counters()
    counters.read(client, places())

    broker.produce([placed("7"), placed("new-sale")])
    _, rows = counters.read(client, places())
    exact = read_stats(client, places())
    assert [(row.partition, row.group, row.appended, row.lag) for row in rows] == [
        (row.partition, row.group, row.appended, row.lag) for row in exact
    ]
    assert {row.partition for row in rows if row.lag} == {"7", "new-sale"}

    client.flushdb()
    _, rows = counters.read(client, places())
    assert not any(row.appended or row.lag for row in rows), "an emptied Redis is noticed at once"


def test_what_is_moved_without_a_message_is_noticed_when_its_turn_comes(
    broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    counters = Counters()
    counters.read(client, places())
    reset_group(group="orders", topic="orders.placed", to=BEGINNING, reprocess=False, dry_run=False)

    for _ in range(SALES // READ_AGAIN + 2):
        _, rows = counters.read(client, places())

    assert sum(row.lag for row in rows if row.group == "orders") == SALES


def test_a_sample_that_is_dear_is_taken_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a per cent of the machine is not a matter of how many partitions there are."""
    now, spent = [100.0], [0.0]

    def take() -> Snapshot:
        spent[0] += 0.02
        return Snapshot(taken_at_ms=int(now[0] * 1000), total=Counts(), groups=[], outbox=None)

    monkeypatch.setattr(reading.time, "thread_time", lambda: spent[0])
    reader = Reader(take=take, clock=lambda: now[0])
    for _ in range(60):
        reader.read()
        now[0] += 1.0

    assert spent[0] / 60 <= 0.011
    assert reader.read().age_s <= 3
