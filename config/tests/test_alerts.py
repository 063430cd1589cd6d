"""What the house finds wrong with itself, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.alerts import rules, watching
from config.tasks import watch
from inventory import keys as stock_keys
from notifications.models import Incident
from queueing.autoscaler.asking import Wanted
from queueing.broker import Failure
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.history import History
from queueing.console.reading import Reader
from queueing.console.snapshot import Counts, Group, Snapshot
from queueing.message import Message
from queueing.testing import drain
from shop.events import StockAdded
from tests.test_purchase_journey import sale  # noqa: F401  a fixture

on_servers = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def client_of_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def orders(**counts: int) -> Snapshot:
    group = Group(group="orders", topics=[], consumers=[], **counts)
    return Snapshot(taken_at_ms=0, total=Counts(), groups=[group], outbox=None)


def wanted(desired: int) -> dict[str, Wanted]:
    return {"orders": Wanted(group="orders", desired=desired, actual=desired, least=1, most=4)}


def lag_of(*, then: int) -> History:
    return History(0, {"orders": ([then, 0, 0], [0, 0, 0], [0, 0, 0])})


@pytest.mark.parametrize(
    ("counts", "then", "consumers", "wrong"),
    [
        ({}, 0, 1, []),
        ({"lag": 999}, 0, 1, []),
        ({"lag": 1_000}, 999, 1, ["LagRising"]),
        ({"lag": 1_000}, 1_000, 1, []),
        ({"lag": 50_000}, 60_000, 1, []),
        ({"lag": 10_000}, 60_000, 4, ["ScalerAtMaximum"]),
        ({"lag": 9_999}, 60_000, 4, []),
        ({"lag": 10_000}, 60_000, 3, []),
        ({"oldest_age_ms": 59_999}, 0, 1, []),
        ({"oldest_age_ms": 60_000}, 0, 1, ["OldestAge"]),
        ({"dead": 1}, 0, 1, ["DeadLetters"]),
    ],
)
def test_the_limits_of_each_rule(counts: dict[str, int], then: int, consumers: int, wrong: list[str]) -> None:
    found = list(watching.wrong_with(orders(**counts), lag_of(then=then), wanted(consumers)))

    assert [fact.rule for fact in found] == wrong


@on_servers
def test_a_dead_letter_in_the_queue_becomes_an_incident() -> None:
    broker = make_broker()
    broker.produce([Message.of(StockAdded(sale_id=1, addition_id="a", quantity=1))])
    [delivery] = broker.read("inventory", "ada", ["sales.events"], 10, 0)
    broker.bury("inventory", "ada", delivery, Failure("the warehouse is dark"))

    watch()

    incident = Incident.objects.get()
    assert (incident.rule, incident.about, incident.text) == ("DeadLetters", "inventory", "inventory: 1 dead letter")
    assert incident.opened_at is not None


@on_servers
def test_stock_that_does_not_balance_is_found_when_it_lasts(sale: object, client_of_redis: redis.Redis) -> None:  # noqa: F811
    drain()
    watch()
    assert not Incident.objects.exists()

    client_of_redis.hincrby(stock_keys.gate(sale.pk), "stock", -1)  # type: ignore[attr-defined]
    watch()
    Incident.objects.update(since=timezone.now() - timedelta(seconds=rules.CONSERVATION_BROKEN.for_s))
    watch()

    incident = Incident.objects.get()
    assert incident.text == f"sale {sale.pk}: the stock does not balance by 1"  # type: ignore[attr-defined]
    assert incident.opened_at is not None


@on_servers
def test_while_redis_is_away_nothing_begins_or_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    Incident.objects.create(
        rule="DeadLetters", about="orders", text="", since=now, seen_at=now, opened_at=now,
        quiet_since=now - timedelta(hours=1),
    )  # fmt: skip

    def refuse() -> Snapshot:
        raise redis.ConnectionError("connection refused")

    monkeypatch.setattr(selectors, "_reader", Reader(take=refuse))
    watch()

    assert Incident.objects.get().resolved_at is None
    assert connection.connection is not None
