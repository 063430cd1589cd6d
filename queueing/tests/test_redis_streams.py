from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable, RanBackwards
from queueing.tests.conformance import TOPICS, BrokerConformance, parcel
from queueing.tests.dead_conformance import DeadConformance
from queueing.tests.growing_conformance import GrowingConformance
from queueing.tests.ordered_conformance import OrderedConformance
from queueing.tests.series_conformance import SeriesConformance


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


class TestRedisStreamsBroker(
    BrokerConformance, SeriesConformance, OrderedConformance, DeadConformance, GrowingConformance
):
    @pytest.fixture
    def pass_time(self, client: redis.Redis) -> Callable[[float], None]:
        def wait(seconds: float) -> None:
            """Redis's clock is real: look at it until that much has passed."""
            start = client.time()
            while _seconds(client.time()) - _seconds(start) < seconds:
                time.sleep(0.005)

        return wait

    @pytest.fixture
    def now_ms(self, client: redis.Redis) -> Callable[[], int]:
        return lambda: int(_seconds(client.time()) * 1000)


def _seconds(moment: tuple[int, int]) -> float:
    return moment[0] + moment[1] / 1e6


def test_scripts_survive_a_script_flush(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    broker.produce([parcel()])
    client.script_flush()
    broker.produce([parcel()])

    batch = broker.read("cooks", "ada", ["parcels"], 10, 0)
    client.script_flush()

    assert broker.ack("cooks", "ada", batch) == 2


def test_an_emptied_redis_gets_its_groups_back(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    broker.produce([parcel()])
    broker.read("cooks", "ada", ["parcels"], 10, 0)
    client.flushdb()

    with pytest.raises(BrokerUnavailable, match="NOGROUP"):
        broker.read("cooks", "ada", ["parcels"], 10, 0)
    broker.produce([parcel()])

    assert len(broker.read("cooks", "ada", ["parcels"], 10, 0)) == 1


@pytest.mark.parametrize("deliver_at_ms", [0, 1])
def test_an_emptied_redis_hears_of_a_dynamic_partition_again(
    deliver_at_ms: int, broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.produce([parcel("sale-7", topic="per.sale", deliver_at_ms=deliver_at_ms)])
    client.flushdb()

    broker.produce([parcel("sale-7", topic="per.sale", deliver_at_ms=deliver_at_ms)])
    broker.promote(["per.sale"])

    assert len(broker.read("cooks", "ada", ["per.sale"], 10, 0)) == 1


def test_an_entry_another_program_wrote_becomes_a_message_that_can_be_buried(
    broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.read("cooks", "ada", ["parcels"], 10, 0)
    offset = client.xadd(keys.log("parcels", "0"), {"what": "is this"})

    [strange] = broker.read("cooks", "ada", ["parcels"], 10, 0)

    assert strange.message.id == offset.decode()
    assert broker.bury("cooks", "ada", strange, _why())
    [buried] = broker.dead_letters("cooks", "parcels", strange.partition)
    assert buried.letter.reason == "the oven is cold"


def test_the_age_of_the_oldest_entry_is_on_redis_own_clock(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    now_ms = client.time()[0] * 1000
    client.xadd(keys.log("parcels", "0"), {"id": "old"}, id=f"{now_ms - 60_000}-1")
    broker.read("cooks", "ada", ["parcels"], 1, 0)

    ages = [row.oldest_age_ms for row in broker.stats({"cooks": ["parcels"]})]

    assert 59_000 <= max(ages) <= 63_000


def test_a_partition_made_elsewhere_is_read_within_a_second_though_looked_for_seldom(
    broker: RedisStreamsBroker, redis_url: str
) -> None:
    elsewhere = RedisStreamsBroker(TOPICS, url=redis_url)
    assert broker.read("cooks", "ada", ["per.sale"], 10, 0.001) == []
    elsewhere.produce([parcel("sale-9", topic="per.sale")])

    started, found = time.monotonic(), []
    while not found:
        found = broker.read("cooks", "ada", ["per.sale"], 10, 1.0)

    assert time.monotonic() - started < 3
    assert found[0].partition == "sale-9"


def test_a_redis_that_is_away_is_unknown_not_failed() -> None:
    broker = RedisStreamsBroker(TOPICS, url="redis://127.0.0.1:1/0")

    with pytest.raises(BrokerUnavailable):
        broker.produce([parcel()])


def test_what_too_few_replicas_have_is_unknown(redis_url: str, client: redis.Redis) -> None:
    broker = RedisStreamsBroker(TOPICS, url=redis_url, replicas_to_ack=1)
    client.script_flush()

    with pytest.raises(BrokerUnavailable, match="0 of 1 replicas"):
        broker.produce([parcel()])

    assert len(broker.read("cooks", "ada", ["parcels"], 10, 0)) == 1, "it may be there all the same"
    broker.redis.close()


def test_a_store_that_ran_backwards_is_noticed(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    marks = [broker.tide(0), broker.tide(1), broker.tide(2)]
    client.set(keys.TIDE, 1)

    with pytest.raises(RanBackwards):
        broker.tide(marks[-1])

    assert marks == [1, 2, 3]
    assert client.get(keys.TIDE) == b"1", "or it would catch up by being asked"


def _why():
    from queueing.tests.conformance import WHY

    return WHY
