"""Given a confirmed order, its money is asked for: once."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
import uuid_utils.compat as uuid
from django.db import IntegrityError, connection, transaction

from orders.events import OrderConfirmed
from payments.handlers import SUBSCRIPTION, ask_for_money
from payments.models import Payment
from payments.services import cancel_payment
from payments.tests.support import ADA, a_payment, told
from queueing.event import event_class
from queueing.models import OutboxMessage
from tests.threads import at_once, wait_until_blocked


def confirmed(order_id: UUID | None = None, *, cents: int = 4_900) -> OrderConfirmed:
    return OrderConfirmed(order_id=str(order_id or uuid.uuid7()), sale_id=7, user_id=ADA, quantity=1, total_cents=cents)


def handle(*events: OrderConfirmed) -> None:
    with transaction.atomic():
        ask_for_money(events)


@pytest.mark.django_db
def test_a_confirmed_order_is_to_be_paid_in_time(settings):
    settings.PAYMENT_DUE_S = 900
    event = confirmed()

    handle(event)

    payment = Payment.objects.get(order_id=event.order_id)
    assert (payment.status, payment.amount_cents, payment.user_id, payment.sale_id) == ("pending", 4_900, ADA, 7)
    assert (payment.due_at - payment.created_at).total_seconds() == 900
    row = OutboxMessage.objects.get()
    request = event_class(row.name, row.version).decode(row.body.encode())
    assert (row.name, row.key) == ("payments.PaymentRequested", event.order_id)
    assert request.due_at_ms == int(payment.due_at.timestamp() * 1000)
    assert request.amount_cents == 4_900


@pytest.mark.django_db
def test_the_deadline_is_by_postgresqls_clock(settings):
    settings.PAYMENT_DUE_S = 60
    event = confirmed()
    handle(event)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM payments_payment WHERE order_id = %s",
            [event.order_id],
        )
        assert 50 < cursor.fetchone()[0] <= 60


@pytest.mark.django_db
def test_the_same_order_twice_in_a_batch_and_again_later_is_asked_once():
    event, other = confirmed(), confirmed()

    handle(event, other, event)
    handle(event)

    assert Payment.objects.count() == 2
    assert told() == {"PaymentRequested": 2}


@pytest.mark.django_db
def test_an_order_cancelled_meanwhile_stays_cancelled():
    payment = a_payment()
    cancel_payment(order_id=payment.order_id)

    handle(confirmed(payment.order_id))

    payment.refresh_from_db()
    assert payment.status == "cancelled"
    assert told(payment.order_id) == {"PaymentRequested": 1, "PaymentCancelled": 1}


@pytest.mark.django_db(transaction=True)
def test_two_consumers_with_the_same_batch_in_another_order_ask_once_each():
    one, middle, other = batch = [confirmed() for _ in range(3)]
    held = threading.Event()

    def hold_the_middle() -> None:
        with transaction.atomic():
            handle(middle)
            held.set()
            wait_until_blocked(2)  # unsorted, each would now have its first row and wait for the other's
            transaction.set_rollback(True)

    def consume(*events: OrderConfirmed) -> None:
        assert held.wait(20)
        handle(*events)

    at_once([hold_the_middle, lambda: consume(one, middle, other), lambda: consume(other, middle, one)])

    assert Payment.objects.count() == len(batch)
    assert told() == {"PaymentRequested": len(batch)}


@pytest.mark.django_db
def test_nothing_in_nothing_out():
    handle()
    assert told() == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    ["amount_cents = -1", "status = 'lost'", "status = 'paid'", "settled_at = now()"],
)
def test_postgresql_itself_refuses_an_impossible_payment(wrong):
    payment = a_payment()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE payments_payment SET {wrong} WHERE order_id = %s", [payment.order_id])


def test_the_group_is_called_payments():
    assert SUBSCRIPTION.group == "payments"
