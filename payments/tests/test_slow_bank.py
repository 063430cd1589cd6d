"""A bank that takes its time: whoever asks it waits, nobody else does, and no consumer misses its deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from django.conf import settings as house
from django.db import connection, transaction
from django.test import Client

from payments import money
from payments.demo_bank.models import DemoRefund
from payments.demo_bank.provider import DemoBank
from payments.demo_bank.services import pay_charge
from payments.handlers import send_money_back
from payments.models import Payment, Refund
from payments.provider import CreatedCharge
from payments.services import start_checkout
from payments.tests.support import a_payment, money_is_right
from payments.tests.test_refunds import pay_late, requested
from queueing.errors import NotYet
from queueing.faults import outside, store
from queueing.faults.fault import Fault, Kind
from tests.threads import at_once

SLOW_S = 0.25


@pytest.fixture
def client_of_redis(settings) -> Iterator[redis.Redis]:
    settings.FAULT_ROOM = True
    outside._weather.cache_clear()
    with redis.Redis.from_url(house.REDIS_URL) as found:
        found.flushdb()
        yield found
        found.flushdb()
    outside._weather.cache_clear()


@pytest.fixture
def slow(client_of_redis: redis.Redis) -> Fault:
    fault = Fault(kind=Kind.BANK, value=SLOW_S)
    assert store.begin(client_of_redis, fault, seconds=60)
    return fault


def took(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def checkout(payment: Payment) -> str:
    return start_checkout(payment=payment, return_url="http://testserver/")


@pytest.mark.django_db
def test_whoever_asks_the_bank_waits_until_the_fault_ends(slow: Fault, client_of_redis: redis.Redis) -> None:
    payment, url = a_payment(), ""

    assert took(lambda: checkout(payment)) >= SLOW_S
    url = checkout(payment)
    assert took(lambda: Client().post(url, {"decision": "decline"})) >= SLOW_S
    assert took(lambda: Client().get(url)) < SLOW_S, "a page that asks nothing"
    assert store.running(client_of_redis, [])[0].did == {"asked": 3, "answered": 3}

    outside._weather.cache_clear()
    store.end(client_of_redis, slow)
    assert took(lambda: checkout(payment)) < SLOW_S


@pytest.mark.django_db
def test_where_there_is_no_fault_room_nothing_is_slow(slow: Fault, settings) -> None:
    settings.FAULT_ROOM = False

    assert took(lambda: checkout(a_payment())) < SLOW_S


class BankThatLooks(DemoBank):
    """Notes whether its caller keeps a database connection while it thinks."""

    kept: list[bool] = []

    def create_charge(self, **asked) -> CreatedCharge:
        self.kept.append(connection.connection is not None)
        return super().create_charge(**asked)


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_bank_keeps_no_database_connection(settings) -> None:
    settings.PAYMENT_PROVIDER = f"{__name__}.BankThatLooks"
    payment = a_payment()

    checkout(payment)

    assert BankThatLooks.kept == [False]


@pytest.mark.django_db(transaction=True)
def test_buyers_wait_side_by_side(slow: Fault) -> None:
    payments = [a_payment() for _ in range(6)]

    assert took(lambda: at_once([lambda payment=payment: checkout(payment) for payment in payments])) < 4 * SLOW_S


@pytest.mark.django_db
def test_refunds_that_a_slow_bank_leaves_no_time_for_come_again_and_none_is_sent_twice(
    slow: Fault, monkeypatch
) -> None:
    monkeypatch.setattr(money, "BANK_WITHIN_S", SLOW_S / 2)
    for _ in range(3):
        pay_late()
    events = requested()

    with pytest.raises(NotYet) as early, transaction.atomic():
        send_money_back(events)

    first = [event for event in events if event not in early.value.events]
    assert len(first) == 1, "there was time for one, and the deadline was kept"
    assert not DemoRefund.objects.exists()
    for event in (first[0], *early.value.events):
        with transaction.atomic():
            send_money_back([event])
    assert DemoRefund.objects.count() == 3
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    assert money_is_right()


@pytest.mark.django_db
def test_one_refund_is_asked_for_however_slow_the_bank_is(slow: Fault, monkeypatch) -> None:
    monkeypatch.setattr(money, "BANK_WITHIN_S", 0.0)
    charge = pay_late()
    pay_charge(charge_id=charge.id)

    send_money_back(requested())

    assert Refund.objects.get().status == "succeeded"
