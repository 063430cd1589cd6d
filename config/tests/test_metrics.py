from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from inventory import keys as gate_keys
from queueing import keys
from queueing.about import About
from queueing.broker import Failure
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.faults import store
from queueing.faults.fault import Fault, Kind
from queueing.message import Message
from queueing.testing import drain
from shop.events import StockAdded
from shop.models import Product, Sale
from shop.services import schedule_sale

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


@pytest.fixture(autouse=True)
def nothing_known_yet(monkeypatch: pytest.MonkeyPatch, db: None) -> Any:
    monkeypatch.setattr(selectors, "_reader", Reader())
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def told(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_the_numbers_are_those_of_the_queue(client: Client) -> None:
    broker = make_broker()
    broker.produce([Message.of(StockAdded(sale_id=1, addition_id=str(n), quantity=1)) for n in range(5)])
    batch = broker.read("inventory", "ada", ["sales.events"], 10, 0)
    broker.ack("inventory", "ada", batch[:2])
    broker.retry("inventory", "ada", batch[2], 60, Failure("the warehouse is dark"), count=True)
    broker.bury("inventory", "ada", batch[3], Failure("the warehouse is dark"))
    about = About(host="shop-1", pid=412, handled=2, per_s=0.5, memory_bytes=50_000_000)
    broker.beat("inventory", "ada", about)

    numbers = told(client.get("/metrics").content.decode())

    of = '{group="inventory",topic="sales.events"}'
    assert numbers[f"sluice_queue_appended_total{of}"] == 5
    assert numbers['sluice_queue_produced_total{topic="sales.events"}'] == 5
    assert numbers[f"sluice_queue_acked_total{of}"] == 4
    assert numbers[f"sluice_queue_retried_total{of}"] == 1
    assert numbers[f"sluice_queue_buried_total{of}"] == 1
    assert numbers[f"sluice_queue_lag_messages{of}"] == 1
    assert numbers[f"sluice_queue_in_flight_messages{of}"] == 1
    ada = '{consumer="ada",group="inventory"}'
    assert numbers[f"sluice_queue_consumer_handled_total{ada}"] == 2
    assert numbers[f"sluice_queue_consumer_in_flight_messages{ada}"] == 1
    assert numbers[f"sluice_queue_consumer_memory_bytes{ada}"] == 50_000_000
    assert numbers[f"sluice_queue_consumer_beat_age_seconds{ada}"] < 5
    assert numbers['sluice_queue_cap_per_second{group="orders",topic="orders.placed"}'] == 1000
    assert numbers['sluice_queue_consumers{group="inventory"}'] == 1
    assert numbers["sluice_queue_known"] == 1
    assert numbers["sluice_outbox_rows"] == 0


def test_every_name_is_documented_and_every_documented_name_is_told(
    client: Client, nothing_known_yet: redis.Redis
) -> None:
    make_broker().beat("inventory", "ada", About(host="a", pid=1, handled=0, per_s=0, memory_bytes=1))
    _kettles()
    store.begin(nothing_known_yet, Fault(kind=Kind.PACE, group="orders", value=1_000), seconds=30)

    names = {re.split(r"[{ ]", name)[0] for name in told(client.get("/metrics").content.decode())}

    assert names == set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(), re.MULTILINE))


def test_a_sales_units_are_told_by_place_and_what_is_missing(client: Client, nothing_known_yet: redis.Redis) -> None:
    sale = _kettles()
    nothing_known_yet.hincrby(gate_keys.gate(sale.pk), "stock", -2)

    numbers = told(client.get("/metrics").content.decode())

    assert numbers[f'sluice_sale_units{{place="given",sale="{sale.pk}"}}'] == 50
    assert numbers[f'sluice_sale_units{{place="remaining",sale="{sale.pk}"}}'] == 48
    assert numbers[f'sluice_sale_conservation_difference_units{{sale="{sale.pk}"}}'] == 2


def test_a_sale_that_ended_two_days_ago_is_not_told(client: Client) -> None:
    sale = _kettles()
    Sale.objects.filter(pk=sale.pk).update(
        starts_at=timezone.now() - timedelta(days=3), ends_at=timezone.now() - timedelta(days=2)
    )

    assert "sluice_sale_units{" not in client.get("/metrics").content.decode()


def _kettles() -> Sale:
    """A sale that runs, at its gate."""
    kettle = Product.objects.create(title="Ember kettle", slug="ember-kettle", blurb="Boils.", picture="p/k.svg")
    now = timezone.now()
    window = {"starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(hours=1)}
    sale = schedule_sale(product=kettle, price_cents=4900, stock=50, per_user_limit=1, **window)
    drain()
    return sale


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("203.0.113.9", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 404),
        ("127.0.0.1", {"Via": "1.1 gateway"}, 404),
        ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1, 127.0.0.1", "X-Real-IP": "127.0.0.1"}, 404),
        ("203.0.113.9", {"Forwarded": "for=127.0.0.1"}, 404),
        ("203.0.113.9", {"Authorization": "Bearer let-me-in"}, 200),
        ("203.0.113.9", {"Authorization": "Bearer let-me-in", "X-Forwarded-For": "203.0.113.7"}, 200),
        ("203.0.113.9", {"Authorization": "Bearer let-me-inn"}, 404),
        ("203.0.113.9", {"Authorization": "Bearer "}, 404),
        ("203.0.113.9", {"Authorization": "Bearer \u00e9"}, 404),
        ("", {}, 404),
    ],
)
def test_who_may_read(client: Client, settings: Any, address: str, headers: dict[str, str], status: int) -> None:
    settings.METRICS_TOKEN = "let-me-in"

    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


def test_without_a_token_an_empty_one_opens_nothing(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    settings.METRICS_ALLOW = [ip_network("10.0.0.0/8")]

    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200


def test_a_log_of_no_declared_topic_is_nobodys_number(client: Client, nothing_known_yet: redis.Redis) -> None:
    nothing_known_yet.sadd(keys.partitions("sales.events"), 'x"} 1\nfake 1')

    assert "fake" not in told(client.get("/metrics").content.decode())
