"""Whichever door an order comes through, its answer is counted once, in the process that gave it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from django.test import Client

from config.limits import Limit, keep_limits
from config.tests.doors import by_django, by_the_lane
from config.traffic import flushing
from config.traffic.flushing import Flusher
from config.traffic.second import Meter
from inventory import approval
from orders import purchase
from orders.tests.conftest import anna, gate_key, open_sale, valkey  # noqa: F401  fixtures of buying
from orders.tests.support import pass_for

ONE = b'{"quantity": 1}'
ORDERS = "/api/sales/7/orders"


@pytest.fixture
def browser(anna) -> Client:  # noqa: F811
    client = Client()
    client.force_login(anna)
    return client


@pytest.mark.django_db
def test_each_answer_of_each_door_is_counted(browser: Client, valkey, open_sale) -> None:  # noqa: F811
    open_sale(stock=2)
    approval.forget()
    meter = Meter()
    mine = {"Idempotency-Key": "first-try", "Sale-Pass": pass_for(browser)}

    by_the_lane(browser, "POST", ORDERS, ONE, mine)
    by_the_lane(browser, "POST", ORDERS, ONE, {})
    by_django(browser, "POST", ORDERS, ONE, mine | {"Idempotency-Key": "other-try"})
    browser.post("/sales/7/buy", {"idempotency_key": "third-try", "quantity": 1})
    browser.post("/sales/7/buy", {"idempotency_key": "third-try", "quantity": 0})
    by_the_lane(browser, "GET", "/api/sales/7", b"", {})
    Client().post("/sales/7/buy", {"idempotency_key": "third-try", "quantity": 1})  # has to log in

    counted = meter.read()
    answers = {name.removeprefix("answer:"): n for name, n in counted.counts.items() if name.startswith("answer:")}
    assert answers == {"admitted": 2, "no_pass": 1, "sold_out": 1, "invalid": 1}
    assert counted.counts["passed"] == 3, "what came through Django's test client never was at our door"
    assert (sum(counted.took.values()), sum(counted.took_admitted.values())) == (5, 2)
    assert not meter.read(), "and once"


@pytest.mark.django_db
def test_an_answer_that_broke_is_our_fault(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(ask: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(purchase, "buy", broken)
    meter = Meter()

    assert by_the_lane(browser, "POST", ORDERS, ONE, {}).status == 500

    assert meter.read().counts == {"answer:internal": 1, "passed": 1}


def test_what_is_over_the_limit_is_shed_and_nothing_else() -> None:
    statuses: Counter[int] = Counter()

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        statuses[message.get("status", 0)] += 1

    meter = Meter()
    some = Limit(rate=1, burst=7, in_flight=99, clock=lambda: 0.0)
    door = keep_limits(shop, everything=some, orders=some)

    async def crowd() -> None:
        for _ in range(50):
            await door({"type": "http", "path": "/login", "method": "GET"}, None, send)

    asyncio.run(crowd())

    assert (statuses[200], statuses[429]) == (7, 43)
    assert meter.read().counts == {"shed": 43}


def test_a_turn_follows_each_second_and_one_that_breaks_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(BaseException):
        pass

    turns, slept = [], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            raise Enough

    def turn() -> bool:
        turns.append(len(turns))
        if len(turns) == 1:
            raise RuntimeError("boom")
        return True

    flusher = Flusher(Meter())
    monkeypatch.setattr(flushing.time, "sleep", sleep)
    monkeypatch.setattr(flusher, "turn", turn)

    with pytest.raises(Enough):
        flusher.run()

    assert len(turns) == 3
    assert all(0 < seconds <= 1.02 for seconds in slept)
