"""What operators ask of the autoscaler, on a real Redis."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError

from queueing import keys
from queueing.about import About
from queueing.autoscaler import asking
from queueing.autoscaler.records import Beat, Mine
from queueing.conf import make_broker, subscriptions
from queueing.tests.waiting import until


@pytest.fixture(autouse=True)
def store() -> Iterator[Any]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def beat(store: Any, name: str, consumers: int, *, ago_ms: int = 0, reason: str = "") -> None:
    seconds, microseconds = store.time()
    said = Beat(
        count=1,
        at_ms=seconds * 1000 + microseconds // 1000 - ago_ms,
        house="lisbon",
        pid=7,
        groups={"orders": Mine(actual=consumers, reason=reason)},
    )
    store.hset(keys.SCALERS, name, msgspec.json.encode(said))


def test_before_any_supervisor_a_group_wants_its_least() -> None:
    wanted = asking.read("orders")

    declared = subscriptions()["orders"].scaling
    assert (wanted.desired, wanted.actual, wanted.reason) == (declared.least, 0, "")
    assert (wanted.least, wanted.most, wanted.held_until) == (declared.least, declared.most, None)
    assert asking.read_all().keys() == subscriptions().keys()


def test_who_is_at_work_is_what_supervisors_said_lately(store: Any) -> None:
    beat(store, "ada", 2, ago_ms=900, reason="lag 12 is below 1,000")
    beat(store, "sam", 1, reason="lag 11 is below 1,000")
    beat(store, "lost", 4, ago_ms=60_000)
    store.hset(keys.SCALERS, "of another version", b'{"hello": 1}')

    wanted = asking.read("orders")

    assert wanted.actual == 3
    assert wanted.reason == "lag 11 is below 1,000"


def test_a_hold_is_the_number_until_it_is_released() -> None:
    asking.hold("inventory", 0, 30, "ada stops it")

    wanted = asking.read("inventory")
    assert (wanted.desired, wanted.held_why) == (0, "ada stops it")
    assert wanted.held_until is not None
    assert 25 < (wanted.held_until - datetime.now(UTC)).total_seconds() < 35
    assert asking.read("orders").held_until is None

    assert asking.release("inventory")
    assert not asking.release("inventory")
    assert asking.read("inventory").desired == 1


def test_a_hold_ends_by_itself() -> None:
    asking.hold("inventory", 3, 0.05, "a blink")

    until(lambda: asking.read("inventory").held_until is None, within_s=5)
    assert asking.read("inventory").desired == 1


@pytest.mark.parametrize(
    ("consumers", "seconds"), [(-1, 10), (65, 10), (1, 0), (1, -5), (1, 90_000), (1, float("nan"))]
)
def test_what_is_out_of_bounds_is_refused(consumers: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="may be held"):
        asking.hold("orders", consumers, seconds, "")
    with pytest.raises(ValueError, match="401 characters"):
        asking.hold("orders", 1, 1, "x" * 401)


@pytest.mark.parametrize(
    "ask", [asking.read, asking.release, lambda g: asking.hold(g, 1, 1, ""), lambda g: asking.drain(g, "x")]
)
def test_a_group_that_nobody_declared_is_named_with_those_that_are(ask: Any) -> None:
    with pytest.raises(LookupError, match=r"no group is called 'orders '; there are: .*orders"):
        ask("orders ")


def test_only_a_consumer_that_is_there_can_be_drained(store: Any) -> None:
    make_broker().beat("orders", "orders-lisbon-7-ada", About(host="lisbon", pid=7, handled=0, per_s=0, memory_bytes=1))

    assert asking.drain("orders", "orders-lisbon-7-ada")
    assert not asking.drain("orders", "orders-lisbon-8-sam")
    assert not asking.drain("payments", "orders-lisbon-7-ada")


@pytest.mark.django_db
class TestOnATerminal:
    def scale(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("queue", "scale", *arguments, stdout=out)
        return out.getvalue()

    def test_it_says_what_is_wanted_and_why(self, store: Any) -> None:
        beat(store, "ada", 2, reason="lag 11 is below 1,000")

        head, *rows = self.scale().splitlines()

        assert head.split()[:3] == ["GROUP", "WANTED", "AT"]
        assert len(rows) == len(subscriptions())
        assert re.fullmatch(r"orders +1 +2 +1 to 4 +lag 11 is below 1,000", self.scale("orders").splitlines()[1])
        assert json.loads(self.scale("orders", "--json"))[0]["actual"] == 2

    def test_a_number_is_held_and_released_and_both_are_written_down(self) -> None:
        assert " UTC" in self.scale("inventory", "0", "--seconds", "60", "--why", "to see it grow")
        assert asking.read("inventory").held_why == "to see it grow"

        self.scale("inventory", "release")
        self.scale("inventory", "release")

        assert asking.read("inventory").held_until is None
        entries = LogEntry.objects.filter(object_repr="inventory").order_by("pk")
        assert [entry.change_message.partition(": ")[2] for entry in entries] == [
            "Held 0 consumers for 60 s: to see it grow",
            "Released the number of consumers",
        ], "who did it stands before"

    @pytest.mark.parametrize("number", ["-1", "65", "many", "1.5"])
    def test_what_is_no_number_is_refused(self, number: str) -> None:
        with pytest.raises(CommandError):
            self.scale("inventory", "--", number)
        assert asking.read("inventory").held_until is None
