"""Everything a broker promises, on a Redis Cluster: one node with all slots, which refuses what spans two of them.

What the shop does besides reading and settling is in tests/test_redis_cluster.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker, patience
from queueing.brokers.redis_streams.patience import Patience
from queueing.leases import Lease
from queueing.tests.conformance import TOPICS, parcel
from queueing.tests.test_redis_streams import TestRedisStreamsBroker as OnRedisStreams


@pytest.fixture
def redis_url(cluster_url: str) -> str:
    return cluster_url


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


class TestRedisCluster(OnRedisStreams):
    """Competing and ordered mode."""


def test_what_names_keys_of_two_slots_is_refused_here(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    """If this cluster took them, the rest of this file would prove nothing."""
    broker.produce([parcel(str(n)) for n in range(6)])
    logs = [keys.log("parcels", p) for p in "01"]
    broker.read("cooks", "ada", ["parcels"], 10, 0)

    with pytest.raises(redis.exceptions.ClusterCrossSlotError):
        client.xreadgroup("cooks", "ada", dict.fromkeys(logs, ">"))
    with pytest.raises(redis.exceptions.ClusterCrossSlotError):
        broker._scripts["leave"](keys=[logs[0], keys.holders("parcels", "1", "cooks")], args=["cooks", "ada"])
    with pytest.raises(redis.ResponseError, match=r"non local key|do not hash to the same slot|cross"):
        client.eval(f"#!lua\nreturn redis.call('XLEN', '{logs[1]}')", 1, logs[0])
    with pytest.raises(redis.ResponseError, match=r"[Dd]atabase|SELECT|index"):
        client.execute_command("SELECT", 1)


@pytest.mark.parametrize("mode", ["competing", "ordered"])
def test_a_message_is_seen_within_a_tenth_of_a_second_after_a_long_silence(
    broker: RedisStreamsBroker, redis_url: str, mode: str
) -> None:
    topics = ["parcels", "per.sale"]
    elsewhere = RedisStreamsBroker(TOPICS, url=redis_url)
    leases = _lease_all(broker) if mode == "ordered" else []

    def look(wait_s: float) -> list[str]:
        if mode == "ordered":
            return [d.message.id for d in broker.read_in_order("cooks", "ada", leases, 10, wait_s).deliveries]
        return [d.message.id for d in broker.read("cooks", "ada", topics, 10, wait_s)]

    assert look(0.3) == []  # by now its pauses are as long as they get
    sent: list[float] = []

    def send() -> None:
        elsewhere.produce([parcel()])
        sent.append(time.monotonic())

    timer = threading.Timer(0.1, send)
    timer.start()
    deadline = time.monotonic() + 5
    while not look(1.0):
        assert time.monotonic() < deadline
    late = time.monotonic() - sent[0]
    timer.join()

    assert late < 0.3, "0.1 s, and what a busy machine adds"


def test_a_new_sale_is_heard_within_a_second(broker: RedisStreamsBroker, redis_url: str) -> None:
    elsewhere = RedisStreamsBroker(TOPICS, url=redis_url)
    assert broker.read("cooks", "ada", ["parcels", "per.sale"], 10, 0.001) == []
    elsewhere.produce([parcel("sale-9", topic="per.sale")])

    started, found = time.monotonic(), []
    while not found:
        found = broker.read("cooks", "ada", ["parcels", "per.sale"], 10, 1.0)

    assert time.monotonic() - started < 3
    assert found[0].partition == "sale-9"


def test_pauses_grow_while_nothing_comes_and_start_over_when_something_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(patience.time, "sleep", sleep)
    waiting = Patience()

    waiting.wait(list, bool, 60.0)
    assert max(slept) == patience.LONGEST_S
    assert len(slept) < 60 / patience.LONGEST_S + 10
    looks = [[], ["a parcel"]]
    assert waiting.wait(lambda: looks.pop(0), bool, 60.0) == ["a parcel"]
    assert slept[-1] == patience.LONGEST_S, "it was idle before"
    waiting.wait(list, bool, patience.FIRST_S)
    assert slept[-1] == patience.FIRST_S


def _lease_all(broker: RedisStreamsBroker) -> list[Lease]:
    taken = [broker.take_lease("cooks", "ada", seen, 1) for seen in broker.leases("cooks", ["parcels"])]
    return [lease for lease in taken if lease is not None]
