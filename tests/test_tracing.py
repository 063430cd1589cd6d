"""A trace goes with an order: from the header of its request through every queue, with and without OpenTelemetry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.test import Client
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from config.lane import fast_lane
from config.tests import doors
from config.tests.doors import by_django, by_the_lane
from config.tracing import trace_requests
from orders.tests.support import pass_for
from queueing import keys, telemetry, tracing
from queueing.broker import Failure
from queueing.conf import make_broker
from queueing.testing import drain
from shop.models import Sale
from tests.test_purchase_journey import empty_redis, sale, shopper  # noqa: F401  fixtures

pytestmark = [pytest.mark.django_db(transaction=True)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def buy(door: object, client: Client, sale: Sale, key: str, **headers: str) -> str:  # noqa: F811
    path, body = f"/api/sales/{sale.pk}/orders", b'{"quantity": 1}'
    given = {"Idempotency-Key": key, "Sale-Pass": pass_for(client, sale.pk), **headers}
    answer = door(client, "POST", path, body, given)  # type: ignore[operator]
    assert answer.status == 202, answer
    return str(json.loads(answer.body)["order_id"])


def headers_of(order_id: str) -> dict[str, set[str]]:
    """Wire name → the trace headers its messages about this order carry, '' for none."""
    found: dict[str, set[str]] = {}
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for topic in ("orders.placed", "orders.events"):
            for partition in client.smembers(keys.partitions(topic)):
                for _, fields in client.xrange(keys.log(topic, partition.decode())):
                    if json.loads(fields[b"b"]).get("order_id") == order_id:
                        told = json.loads(fields.get(b"h", b"{}")).get("traceparent", "")
                        found.setdefault(fields[b"n"].decode(), set()).add(told)
    return found


@pytest.mark.parametrize("door", [by_the_lane, by_django])
def test_the_header_of_a_request_reaches_every_message_about_its_order_and_no_other(door: object, sale: Sale) -> None:  # noqa: F811
    anna, boris = shopper("anna"), shopper("boris")

    traced = buy(door, anna, sale, "key-of-anna", traceparent=TRACEPARENT)
    plain = buy(door, boris, sale, "key-of-boris")
    drain()  # both orders go through each handler in one batch

    assert set(headers_of(traced)) >= {"orders.OrderPlaced", "orders.OrderCreated", "orders.OrderConfirmed"}
    assert set.union(*headers_of(traced).values()) == {TRACEPARENT}
    assert set(headers_of(plain)) == set(headers_of(traced))
    assert set.union(*headers_of(plain).values()) == {""}


@pytest.mark.parametrize(
    "header", ["", "x", f"00-{'0' * 32}-00f067aa0ba902b7-01", TRACEPARENT.upper(), TRACEPARENT + '"}', "00-\u00e9-1-01"]
)
def test_what_is_no_trace_is_nobodys(header: str, sale: Sale) -> None:  # noqa: F811
    order = buy(by_the_lane, shopper("anna"), sale, "key-of-anna", traceparent=header)

    assert headers_of(order) == {"orders.OrderPlaced": {""}}


def test_it_lives_through_a_burial_and_a_replay(sale: Sale) -> None:  # noqa: F811
    buy(by_the_lane, shopper("anna"), sale, "key-of-anna", traceparent=TRACEPARENT)
    broker = make_broker()
    [delivery] = broker.read("orders", "ada", ["orders.placed"], 10, 0)
    broker.bury("orders", "ada", delivery, Failure("OvenCold"))
    [letter] = broker.dead_letters("orders", "orders.placed", delivery.partition)

    broker.replay([letter])
    [again] = broker.read_due("orders", "ada", ["orders.placed"], 10)

    assert again.message.headers == {"traceparent": TRACEPARENT}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    monkeypatch.setattr(doors, "fast_lane", lambda django: trace_requests(fast_lane(django)))
    exporter = InMemorySpanExporter()
    telemetry.start(SimpleSpanProcessor(exporter))
    yield exporter
    telemetry.stop()


def test_spans_are_one_chain_from_the_request_to_the_last_handler(sale: Sale, spans: InMemorySpanExporter) -> None:  # noqa: F811
    order = buy(by_the_lane, shopper("anna"), sale, "key-of-anna", traceparent=TRACEPARENT)
    drain()

    made = [span for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE]
    by_id = {span.context.span_id: span for span in made}
    last = next(span for span in made if span.name == "process orders.OrderConfirmed" and of(span) == "payments")
    chain = [last]
    while chain[-1].parent is not None and chain[-1].parent.span_id in by_id:
        chain.append(by_id[chain[-1].parent.span_id])

    assert [span.name for span in reversed(chain)] == [
        "POST /api/sales/{id}/orders",
        "admission",
        "process orders.OrderPlaced",
        "send orders.events",
        "process orders.OrderCreated",
        "send orders.events",
        "process inventory.StockDeducted",
        "send orders.events",
        "process orders.OrderConfirmed",
    ]
    assert chain[-1].parent is not None
    assert f"{chain[-1].parent.span_id:016x}" == "00f067aa0ba902b7", "the caller's span is the first one's parent"
    assert chain[-2].attributes["sluice.outcome"] == "admitted"
    assert last.attributes["sluice.order_id"] == order


def test_a_batch_is_linked_with_its_messages_and_they_with_it(sale: Sale, spans: InMemorySpanExporter) -> None:  # noqa: F811
    for name in ("anna", "boris"):
        buy(by_the_lane, shopper(name), sale, f"key-of-{name}")
    drain()

    done = spans.get_finished_spans()
    batch = next(span for span in done if span.name == "process orders" and len(span.links) == 2)
    messages = [span for span in done if span.name == "process orders.OrderPlaced" and of(span) == "orders"]

    assert batch.attributes["messaging.batch.message_count"] == 2
    assert {link.context.span_id for link in batch.links} == {span.parent.span_id for span in messages}
    assert {link.context.span_id for span in messages for link in span.links} == {batch.context.span_id}
    assert len({span.context.trace_id for span in messages}) == 2


def of(span: ReadableSpan) -> object:
    return span.attributes["messaging.consumer.group.name"]


def test_where_it_is_off_it_need_not_be_installed_and_nothing_of_ours_asks_for_it() -> None:
    assert not tracing.on
    asked = (
        "import sys; sys.modules['opentelemetry'] = None;"  # an import of it fails from here on
        "import config.asgi, config.celery;"
        "from queueing.management.commands import consume, relay;"
        "print([name for name in ('queueing.telemetry', 'config.tracing') if name in sys.modules])"
    )

    said = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=Path(__file__).resolve().parents[1],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert said.stdout == "[]\n"
