"""What web processes count arrives in Redis once, whoever dies or is away."""

from __future__ import annotations

import time

import pytest
import redis
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as Away

from config.traffic import flushing, keys
from config.traffic.door import Door
from config.traffic.flushing import LOST, MOST_WAITING, Flusher
from config.traffic.gateway import Counted, GatewaySilent
from config.traffic.prometheus import TrafficCollector
from config.traffic.reading import UNKNOWN, read_seconds, read_totals
from config.traffic.second import Meter
from orders.tallies import Tally


class Nginx:
    """What it has counted, as a test says. Each look is three requests of ours, and it counts them, too."""

    name = "shop-1/status.sock"

    def __init__(self) -> None:
        self.asked = self.requests = self.answered = self.fetched = 0
        self.silent = self.blind = False
        self.cuts = 0

    def read(self) -> Counted:
        if self.silent:
            raise GatewaySilent("it sleeps")
        self.asked += 3
        self.requests += 3
        self.answered += 3
        return Counted(self.requests, None if self.blind else self.answered, None if self.blind else self.fetched)

    def cut(self) -> None:
        self.cuts += 1

    def took(self, requests: int, *, answered: int = 0, fetched: int = 0) -> None:
        self.requests += requests
        self.answered += answered
        self.fetched += fetched


class Web:
    """A web process with a clock of its own, that is flushed when a test says so."""

    def __init__(self, client, nginx=None) -> None:
        self.door, self.tally = Door(), Tally()
        self.client, self.away, self.elapsed = client, False, time.monotonic()
        self.flusher = Flusher(
            Meter(self.door, [self.tally]), nginx, client=self.connection, clock=lambda: self.elapsed
        )

    def connection(self):
        if self.away:
            raise Away("gone")
        return self.client

    def second(self) -> bool:
        self.elapsed += 1
        return self.flusher.turn()


@pytest.fixture
def valkey(settings):
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def counted(client) -> dict[str, int]:
    """Everything in the seconds, which must be what the totals say."""
    now = int(time.time())
    found: dict[str, int] = {}
    for moment in read_seconds(client, first_s=now - 600, last_s=now + 600).values():
        for name, number in moment.counts.items():
            found[name] = found.get(name, 0) + number
    totals = read_totals(client)
    for name, number in found.items():
        if name not in {UNKNOWN, "requests", "answered", "fetched"}:
            assert totals[name] == number
    return {name: number for name, number in found.items() if number}


def test_two_processes_and_a_new_one_in_place_of_the_first_add_up(valkey):
    ada, boris = Web(valkey), Web(valkey)
    for web, passed, shed in ((ada, 700, 3), (boris, 41, 0)):
        web.door.passed, web.door.shed = passed, shed
        web.tally.note("admitted", time.perf_counter_ns() - 3_000_000)
        assert web.second()
    again = Web(valkey)  # the first was killed; what it had written stays
    again.door.passed = 9
    assert again.second()

    assert counted(valkey) == {"passed": 750, "shed": 3, "answer:admitted": 2}
    totals = read_totals(valkey)
    assert totals["answers:le:0.005"] == totals["admitted:le:0.005"] == 2
    assert 6_000 <= totals["answers:sum_us"] < 20_000


def test_prometheus_is_told_the_totals(valkey):
    web = Web(valkey, nginx := Nginx())
    web.second()
    nginx.took(90, answered=30, fetched=1)
    web.door.passed = 40
    for outcome, took_ms in (("admitted", 3), ("sold_out", 2), ("sold_out", 40)):
        web.tally.note(outcome, time.perf_counter_ns() - took_ms * 1_000_000)
    web.second()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TrafficCollector())

    def told(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert told("sluice_gateway_requests_total") == 90
    assert told("sluice_gateway_answered_total") == 30
    assert told("sluice_gateway_fetched_total") == 1
    assert told("sluice_web_requests_total") == 40
    assert told("sluice_order_answers_total", outcome="sold_out") == 2
    assert told("sluice_order_answers_total", outcome="ended") == 0
    assert told("sluice_order_answer_seconds_bucket", answers="all", le="0.005") == 2
    assert told("sluice_order_answer_seconds_bucket", answers="all", le="+Inf") == 3
    assert told("sluice_order_answer_seconds_count", answers="admitted") == 1
    assert 0.045 <= (told("sluice_order_answer_seconds_sum", answers="all") or 0) < 1


def test_a_second_without_a_request_writes_nothing(valkey):
    web = Web(valkey)

    assert all(web.second() for _ in range(3))

    assert valkey.keys("traffic:*") == []


def test_what_is_counted_expires_after_an_hour(valkey):
    web = Web(valkey)
    web.door.passed = 1
    web.second()

    [minute] = valkey.keys("traffic:*minute*")
    assert keys.KEPT_S <= valkey.ttl(minute) <= keys.KEPT_S + 60


def test_a_record_that_was_written_and_not_confirmed_counts_once(valkey, monkeypatch):
    web = Web(valkey)
    web.door.passed = 5
    answer = redis.client.Pipeline.execute

    def written_but_lost(self, *args, **kwargs):
        answer(self, *args, **kwargs)
        raise Away("the answer got lost")

    with monkeypatch.context() as lost:
        lost.setattr(redis.client.Pipeline, "execute", written_but_lost)
        assert not web.second()
    web.door.passed = 7

    assert web.second()

    assert counted(valkey) == {"passed": 7}


def test_while_redis_is_away_two_minutes_are_kept_and_what_is_dropped_is_said(valkey):
    web = Web(valkey)
    web.away = True
    for _ in range(MOST_WAITING + 10):
        web.door.passed += 1
        assert not web.second()

    web.away = False
    web.door.passed += 1

    assert web.second()
    assert counted(valkey) == {"passed": MOST_WAITING, LOST: 11}


def test_seconds_that_waited_keep_their_own_place(valkey):
    web = Web(valkey)
    web.away = True
    for passed in (1, 2, 4):
        web.door.passed += passed
        web.second()
    web.away = False
    web.second()

    now = int(time.time())
    seconds = read_seconds(valkey, first_s=now - 60, last_s=now + 60)

    first = min(seconds)
    assert [seconds[second].counts["passed"] for second in range(first, first + 3)] == [1, 2, 4]


def test_a_full_redis_refuses_and_nothing_is_lost(valkey):
    web = Web(valkey)
    web.door.passed = 5
    limit = valkey.config_get("maxmemory")["maxmemory"]
    try:
        valkey.config_set("maxmemory", "1")
        assert not web.second()
    finally:
        valkey.config_set("maxmemory", limit)

    assert web.second()
    assert counted(valkey) == {"passed": 5}


class TestTheGateway:
    def test_what_it_counted_is_told_without_our_own_questions(self, valkey):
        nginx = Nginx()
        web = Web(valkey, nginx)
        nginx.took(1)
        web.second()  # since when it counts nobody knows: the first look is where we begin

        nginx.took(1_000, answered=300, fetched=2)
        web.door.passed = 52
        web.second()

        assert counted(valkey) == {"requests": 1_000, "answered": 300, "fetched": 2, "passed": 52}
        assert read_totals(valkey)["gateway_requests"] == 1_000

    def test_two_processes_that_ask_the_same_one_count_it_once(self, valkey):
        nginx = Nginx()
        ada, boris = Web(valkey, nginx), Web(valkey, nginx)
        for _ in range(3):
            nginx.took(100, answered=40)
            ada.second()
            boris.second()  # in the same moment, or a little earlier or later by what they know of the time
        ada.elapsed += 5
        ada.second()

        assert counted(valkey) == {"requests": 200, "answered": 80}, "the first look is where we begin"

    def test_one_that_began_anew_counts_from_nothing(self, valkey):
        nginx = Nginx()
        web = Web(valkey, nginx)
        nginx.took(1_000, answered=500)
        web.second()
        nginx.requests = nginx.answered = nginx.fetched = 0

        nginx.took(30, answered=10)
        web.second()

        assert counted(valkey) == {"requests": 30, "answered": 10}

    def test_one_that_is_silent_costs_nothing_and_its_counts_come_later(self, valkey):
        nginx = Nginx()
        web = Web(valkey, nginx)
        nginx.took(1)
        web.second()
        nginx.silent = True
        nginx.took(70)
        web.door.passed = 4
        web.second()
        nginx.silent = False
        web.second()

        assert counted(valkey) == {"requests": 70, "passed": 4}

    def test_one_whose_files_cannot_be_read_is_said_to_be_blind(self, valkey):
        nginx = Nginx()
        nginx.blind = True
        web = Web(valkey, nginx)
        nginx.took(1)
        web.second()
        nginx.took(70)
        web.second()

        assert counted(valkey) == {"requests": 70, UNKNOWN: 4}

    def test_when_nobody_comes_our_questions_are_not_written_down_for_ever(self, valkey):
        nginx = Nginx()
        web = Web(valkey, nginx)
        nginx.took(5)
        for _ in range(20):
            web.second()

        written = sum(valkey.hlen(key) for key in valkey.keys("traffic:*minute*"))

        assert written == 2 * (1 + flushing.QUIET_AFTER_S)
