"""How much is said while a server is away."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from config.logs import OutageOncePerSecond, Plain, one_object_a_line
from config.request_context import RequestContext
from orders.events import OrderConfirmed
from queueing.brokers.memory import MemoryBroker
from queueing.message import Message
from queueing.subscription import Subscription
from queueing.topic import Topic
from queueing.worker import Worker


def record(status: int | None = None, path: str = "/api/sales/7/orders") -> logging.LogRecord:
    made = logging.LogRecord("django.request", logging.ERROR, "", 0, "Service Unavailable", (), None)
    if status is not None:
        made.status_code, made.request = status, SimpleNamespace(path=path)
    return made


def test_an_outage_is_told_once_a_second_however_many_ask():
    now = 100.0
    outage = OutageOncePerSecond(clock=lambda: now)

    told = []
    for _ in range(35):
        told.append(outage.filter(record(503)))
        now += 0.1

    assert sum(told) == 4
    assert told[0]


def test_bugs_are_all_told():
    outage = OutageOncePerSecond(clock=lambda: 100.0)

    assert all(outage.filter(record(500)) for _ in range(10))
    assert all(outage.filter(record()) for _ in range(10))


def test_a_health_check_that_fails_is_not_told_and_silences_nothing():
    outage = OutageOncePerSecond(clock=lambda: 100.0)

    assert not outage.filter(record(503, "/healthz"))
    assert outage.filter(record(503))


KETTLE = "01a1f9d0-0000-7000-8000-000000000001"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
logger = logging.getLogger("payments.handlers")


@pytest.fixture
def written() -> Iterator[Callable[[logging.Formatter], StringIO]]:
    """A log file that is written by this formatter."""
    opened: list[logging.Handler] = []
    root = logging.getLogger()

    def open_it(formatter: logging.Formatter) -> StringIO:
        file = StringIO()
        handler = logging.StreamHandler(file)
        handler.setFormatter(formatter)
        opened.append(handler)
        root.addHandler(handler)
        return file

    yield open_it
    for handler in opened:
        root.removeHandler(handler)


def confirmed(order_id: str) -> OrderConfirmed:
    return OrderConfirmed(order_id=order_id, sale_id=7, user_id=1, quantity=1, total_cents=4900)


def consume(handler: Callable[[Sequence[OrderConfirmed]], None], *messages: Message) -> None:
    """These messages, in one batch of the group "payments"."""
    broker = MemoryBroker({"orders.events": Topic("orders.events")})
    broker.produce(messages)
    Worker(Subscription(group="payments", handlers={OrderConfirmed: handler}), broker).step(0)


def warn(events: Sequence[OrderConfirmed]) -> None:
    logger.warning("the bank is slow")


def lines(file: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_what_a_handler_logs_names_the_order_and_its_message(written: Callable[..., StringIO]) -> None:
    programs, people = written(one_object_a_line()), written(Plain("{levelname} {name}: {message}", style="{"))
    message = Message.of(confirmed(KETTLE), headers={"traceparent": TRACEPARENT})

    consume(warn, message)
    logger.warning("nothing is at hand")

    [line, after] = lines(programs)
    assert line["timestamp"].endswith("Z")
    assert line | {"timestamp": ""} == {
        "event": "the bank is slow",
        "level": "warning",
        "logger": "payments.handlers",
        "group": "payments",
        "order_id": KETTLE,
        "message_id": message.id,
        "trace_id": TRACE,
        "timestamp": "",
    }
    assert f"order_id={KETTLE}" in people.getvalue()
    assert f"message_id={message.id}" in people.getvalue()
    assert set(after) == {"event", "level", "logger", "timestamp"}
    assert people.getvalue().splitlines()[1] == "WARNING payments.handlers: nothing is at hand"


def test_of_a_batch_the_first_few_are_named_and_all_are_counted(written: Callable[..., StringIO]) -> None:
    file = written(one_object_a_line())
    orders = [f"{KETTLE[:-1]}{n}" for n in range(5)]

    consume(warn, *(Message.of(confirmed(order)) for order in orders))

    [line] = lines(file)
    assert (line["messages"], line["order_id"]) == (5, orders[:3])


def test_a_message_that_fails_is_named_in_the_line_that_says_so(written: Callable[..., StringIO]) -> None:
    file = written(one_object_a_line())

    def fail(events: Sequence[OrderConfirmed]) -> None:
        raise ConnectionError("no bank\n\x1b[2J")

    consume(fail, Message.of(confirmed(KETTLE)))

    [line] = lines(file)
    assert "no bank" in line["event"]
    assert (line["order_id"], line["level"]) == (KETTLE, "warning")
    assert "\x1b" not in file.getvalue()


def test_an_id_from_a_message_cannot_write_lines_of_its_own(written: Callable[..., StringIO]) -> None:
    people = written(Plain("{levelname} {name}: {message}", style="{"))

    consume(warn, Message.of(confirmed("x\nERROR forged: line\x1b[2J")))

    assert len(people.getvalue().splitlines()) == 1
    assert "\x1b" not in people.getvalue()


def test_a_request_names_its_address_its_order_and_its_trace(written: Callable[..., StringIO]) -> None:
    file = written(one_object_a_line())

    def view(request: HttpRequest) -> HttpResponse:
        context.process_view(request, view, (), {"order_id": KETTLE})
        logger.warning("odd")
        return HttpResponse()

    context = RequestContext(view)
    context(RequestFactory().get(f"/orders/{KETTLE}", headers={"traceparent": TRACEPARENT}))
    logger.warning("after it")

    [line, after] = lines(file)
    assert (line["path"], line["order_id"], line["trace_id"]) == (f"/orders/{KETTLE}", KETTLE, TRACE)
    assert not {"path", "order_id", "trace_id"} & set(after)
