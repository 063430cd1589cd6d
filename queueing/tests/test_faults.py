"""Faults act on real consumers, PostgreSQL and Redis, end by themselves, and leave nothing behind."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
import redis
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing import keys
from queueing.autoscaler.sampling import look
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.capping import Cap
from queueing.consumer import make_worker
from queueing.event import Event
from queueing.faults import store
from queueing.faults.exposed import Exposed, exposed, sheltered
from queueing.faults.fault import Fault, Kind
from queueing.faults.pacing import pace
from queueing.faults.weather import Weather
from queueing.message import Delivery, Message
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.topic import Topic
from queueing.worker import Worker

TOPICS = {"ovens": Topic("ovens")}
PATIENCE_S = 20.0


class LoafBaked(Event):
    wire = "faults.LoafBaked"
    topic = "ovens"
    key_field = "loaf"

    loaf: str


class Bakery:
    """Loaves for a group of two bakers at most, each a worker as `manage.py consume` makes it."""

    def __init__(self, redis_url: str, client: redis.Redis) -> None:
        self.url, self.redis = redis_url, client
        self.broker = RedisStreamsBroker(TOPICS, url=redis_url)
        self.sold: Counter[str] = Counter()

    def baker(self, *, batch: int = 50, rate: float | None = None, lease_s: float = 15.0) -> Worker:
        def sell(events: Sequence[LoafBaked]) -> None:
            self.sold.update(event.loaf for event in events)

        subscription = Subscription("bakers", handlers={LoafBaked: sell}, batch_size=batch, rate=rate, lease_s=lease_s)
        broker = RedisStreamsBroker(TOPICS, url=self.url)
        faults = exposed(subscription, broker)
        return make_worker(
            subscription, broker, outermost=faults.outermost, innermost=faults.innermost, lookouts=faults.lookouts,
            collect_s=0, sleep=lambda _: time.sleep(0.01),
        )  # fmt: skip

    def bake(self, count: int) -> None:
        self.broker.produce([Message.of(LoafBaked(loaf=f"rye {number}")) for number in range(count)])

    def lag(self) -> int:
        return sum(row.lag for row in self.broker.stats({"bakers": ["ovens"]}))

    def caps_of_the_autoscaler(self) -> dict[str, Cap | None]:
        subscription = Subscription("bakers", handlers={LoafBaked: lambda events: None})
        return look(self.redis, {"bakers": subscription}, TOPICS).groups["bakers"].caps

    def fault(self, kind: Kind, value: float = 0.0, *, seconds: float = 30.0) -> Fault:
        fault = Fault(kind=kind, group="bakers" if kind.of_a_group else "", value=value, by="grace")
        assert store.begin(self.redis, fault, seconds=seconds)
        return fault

    def did(self, fault: Fault) -> dict[str, int]:
        return {what.decode(): int(n) for what, n in self.redis.hgetall(keys.fault_did(fault.id)).items()}


@pytest.fixture
def bakery(client: redis.Redis, redis_url: str) -> Iterator[Bakery]:
    bakery = Bakery(redis_url, client)
    yield bakery
    bakery.broker.redis.close()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def work(worker: Worker, stop: threading.Event) -> None:
    while not stop.is_set():
        worker.step(0.02)
    connection.close()
    worker.broker.redis.close()  # type: ignore[attr-defined]


def test_a_fault_ends_by_redis_clock_and_only_one_of_its_kind_acts(client: redis.Redis) -> None:
    first = Fault(kind=Kind.PACE, group="bakers", value=1_000, by="grace")
    second = Fault(kind=Kind.PACE, group="bakers", value=10, by="ada")

    assert store.begin(client, first, seconds=0.6)
    assert not store.begin(client, second, seconds=30), "one that acts is not changed by somebody else"
    assert not store.end(client, second)
    assert store.begin(client, Fault(kind=Kind.PACE, group="millers", value=10), seconds=30)

    found = store.running(client, ["bakers", "waiters"])
    assert [running.fault for running in found] == [first]
    assert 0 < found[0].left_s <= 0.6
    until(lambda: not store.running(client, ["bakers"]), "it ends with nobody there")
    assert store.begin(client, second, seconds=30)
    assert not store.end(client, first), "who still sees the one before ends nothing"
    assert store.end(client, second)
    assert not store.end(client, second)
    assert store.running(client, ["bakers"]) == []


def test_what_a_fault_did_is_counted(client: redis.Redis) -> None:
    fault = Fault(kind=Kind.SMS, value=0.2)
    store.begin(client, fault, seconds=30)

    assert store.count(client, fault, asked=10, refused=2) == {"asked": 10, "refused": 2}
    assert store.count(client, fault, asked=5) == {"asked": 15}

    assert store.running(client, [])[0].did == {"asked": 15, "refused": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{}",
        b'{"kind":"pace"}',
        b'{"kind":"sms","group":"bakers"}',
        b'{"kind":"pace","group":"bakers","value":0}',
        b"\xff",
    ],
)
def test_what_is_no_fault_does_nothing(client: redis.Redis, wrong: bytes) -> None:
    client.set(keys.fault(Kind.PACE, "bakers"), wrong, px=30_000)
    weather = Weather(client, (Kind.PACE,), "bakers")

    weather.look()

    assert weather.of(Kind.PACE) is None
    assert store.running(client, ["bakers"]) == []


def test_without_redis_the_weather_is_fair(client: redis.Redis) -> None:
    clock = Clock()
    weather = Weather(client, (Kind.DATABASE,), clock=clock)
    store.begin(client, Fault(kind=Kind.DATABASE, value=10), seconds=30)
    weather.look()
    assert weather.of(Kind.DATABASE)

    weather.redis = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    clock.advance(1)
    weather.look()

    assert weather.of(Kind.DATABASE) is None


def test_a_paced_consumer_has_its_rate_and_stops_waiting_when_the_fault_ends(client: redis.Redis) -> None:
    clock = Clock()
    weather = Weather(client, (Kind.PACE,), "bakers", clock=clock)
    paced = pace(weather, longest_s=6, clock=clock, sleep=clock.advance)
    batch = [Delivery(Message.of(LoafBaked(loaf="rye")), "0", "1-1")] * 100
    fault = Fault(kind=Kind.PACE, group="bakers", value=1_000)
    store.begin(client, fault, seconds=3_600)
    weather.look()

    began = clock.now
    for _ in range(20):
        paced(batch, lambda batch: None)
    assert clock.now - began == pytest.approx(1.9), "2,000 at 1,000 a second; the first batch waits for nobody"

    store.end(client, fault)
    before = clock.now
    for _ in range(20):
        paced(batch, lambda batch: None)
    assert clock.now - before < 0.7


@pytest.mark.django_db(transaction=True)
def test_the_databases_budget_is_one_for_all_consumers(bakery: Bakery) -> None:
    fault = bakery.fault(Kind.DATABASE, 200)
    bakery.bake(200)
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(bakery.baker(batch=25), stop)) for _ in range(2)]
    began = time.monotonic()
    try:
        for thread in threads:
            thread.start()
        until(lambda: _sessions_that_wait(), "PostgreSQL sees somebody wait in a transaction")
        until(lambda: not bakery.lag(), "all is sold")
        took_s = time.monotonic() - began
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert took_s >= 0.95, "two consumers are no faster than one"
    assert bakery.did(fault) == {"transactions": 8, "messages": 200}
    assert set(bakery.sold.values()) == {1}


def _sessions_that_wait() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND wait_event IN ('advisory', 'PgSleep')"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_is_too_large_for_a_slow_database_is_halved_and_no_attempt_counts(bakery: Bakery) -> None:
    fault = bakery.fault(Kind.DATABASE, 1_000)
    bakery.bake(800)
    baker = bakery.baker(batch=800)
    began = time.monotonic()

    baker.step(0)

    assert time.monotonic() - began >= 0.8
    assert bakery.did(fault) == {"transactions": 2, "messages": 800}
    assert set(bakery.sold.values()) == {1}
    assert [(row.lag, row.retried) for row in bakery.broker.stats({"bakers": ["ovens"]})] == [(0, 0)]


@pytest.mark.django_db(transaction=True)
def test_who_waits_too_long_for_the_database_waits_outside_and_no_attempt_counts(bakery: Bakery) -> None:
    fault = bakery.fault(Kind.DATABASE, 100_000)
    bakery.bake(3)
    baker = bakery.baker(lease_s=1.5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, 1)", [0x51CE])
        thread = threading.Thread(target=_run, args=(baker,))
        thread.start()
        try:
            until(lambda: bakery.did(fault).get("turned_away"), "it was turned away")
            assert not bakery.sold
            cursor.execute("SELECT pg_advisory_unlock(%s, 1)", [0x51CE])
            until(lambda: not bakery.lag(), "all is sold")
        finally:
            baker.stop()
            thread.join()

    assert set(bakery.sold.values()) == {1}
    assert [row.retried for row in bakery.broker.stats({"bakers": ["ovens"]})] == [0]


def _run(worker: Worker) -> None:
    worker.run()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_lifted_cap_lets_the_backlog_go_and_holds_again_afterwards(bakery: Bakery) -> None:
    bakery.broker.set_rate("bakers", 10, topic="ovens")
    bakery.bake(300)
    baker = bakery.baker(rate=20)
    for _ in range(3):
        baker.step(0)
    assert bakery.lag() > 290

    fault = bakery.fault(Kind.LIFT)
    until(lambda: not (baker.step(0.01), bakery.lag())[1], "all is sold at once")

    assert bakery.broker.rates("bakers") == {"": None, "ovens": None}
    assert bakery.caps_of_the_autoscaler() == {"ovens": None}
    assert store.end(bakery.redis, fault)
    assert bakery.broker.rates("bakers") == {"ovens": 10.0}
    assert bakery.caps_of_the_autoscaler() == {"ovens": Cap("ovens", 10.0)}


def test_where_there_is_no_fault_room_a_fault_that_was_left_over_is_gone_with_the_first_consumer(
    bakery: Bakery,
) -> None:
    bakery.broker.set_rate("bakers", 10, topic="ovens")
    bakery.fault(Kind.LIFT)
    bakery.fault(Kind.DATABASE, 500)

    around = sheltered(bakery.baker().subscription, bakery.broker)

    assert around == Exposed()
    assert store.running(bakery.redis, ["bakers"]) == []
    assert bakery.broker.rates("bakers") == {"ovens": 10.0}


def test_looking_costs_a_consumer_next_to_nothing(bakery: Bakery) -> None:
    worker = bakery.baker()
    before = bakery.redis.info("commandstats")["cmdstat_mget"]["calls"] if _has_mget(bakery.redis) else 0
    began = time.monotonic()
    while time.monotonic() - began < 0.3:
        for lookout in worker.lookouts:
            lookout()
    spent_s = time.monotonic() - began
    after = bakery.redis.info("commandstats")["cmdstat_mget"]["calls"]

    assert after - before <= 2 + 4 * spent_s, "twice a second each, however often the loop turns"


def _has_mget(client: redis.Redis) -> bool:
    return "cmdstat_mget" in client.info("commandstats")
