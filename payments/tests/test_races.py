"""Payer, clock and second thoughts meet at one row; exactly one of them wins, whatever the moment."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from uuid import UUID

import pytest

from payments.models import Charge, Payment, Refund
from payments.services import cancel_payment, expire_unpaid_payments
from payments.tests.support import SCALE, a_charge, a_payment, make_due, money_is_right, notice, post, told
from payments.webhooks import receive_webhook
from tests.threads import at_once

PAYERS = 4


def outcome(order_id: UUID) -> str:
    """The one thing that became of this order; asserts that rows and events agree on it."""
    payment = Payment.objects.get(order_id=order_id)
    refunds = Refund.objects.filter(order_id=order_id).count()
    captured = Charge.objects.filter(payment=payment, captured_at__isnull=False).count()
    events = told(order_id)
    ended = {name: events[name] for name in ("PaymentSucceeded", "PaymentExpired", "PaymentCancelled")}
    expected = {"paid": "PaymentSucceeded", "expired": "PaymentExpired", "cancelled": "PaymentCancelled"}
    assert Counter(ended) == Counter({expected[payment.status]: 1}), ended
    assert refunds == events["RefundRequested"] == captured - (payment.status == "paid")
    return payment.status + ("+refund" if refunds else "")


def wait_until(moment: float) -> None:
    while (left := moment - time.time()) > 0:
        threading.Event().wait(min(left, 0.001))


@pytest.mark.django_db(transaction=True)
def test_paying_at_the_very_deadline_is_paid_or_expired_with_a_refund():
    pairs = [a_charge(a_payment(due_in_s=3_600)) for _ in range(round(200 * SCALE))]
    paid = threading.Event()
    left = [PAYERS]
    rng = random.Random(20_261_120)
    offsets_s = {charge.id: rng.uniform(-0.006, 0.006) for charge in pairs}

    def payer(mine: list[Charge]) -> None:
        try:
            for charge in mine:
                # The deadline is set when its payer is ready, so that a slow machine still meets it on time.
                due = make_due(charge.payment_id, in_s=0.008)
                wait_until(due + offsets_s[charge.id])
                receive_webhook(event_id=f"evt_{charge.id}", body=notice(charge))
        finally:
            left[0] -= 1
            if not left[0]:
                paid.set()

    def sweeper() -> None:
        while not paid.is_set():
            expire_unpaid_payments(limit=20)

    at_once([*(lambda at=at: payer(pairs[at::PAYERS]) for at in range(PAYERS)), sweeper, sweeper])

    outcomes = Counter(outcome(charge.payment_id) for charge in pairs)
    assert set(outcomes) <= {"paid", "expired+refund"}, outcomes
    assert min(outcomes["paid"], outcomes["expired+refund"]) > 0, f"never really raced: {outcomes}"
    assert money_is_right()


@pytest.mark.django_db(transaction=True)
def test_paying_cancelling_and_expiring_at_once_has_one_winner():
    seen: Counter[str] = Counter()
    for _ in range(round(30 * SCALE)):
        charge = a_charge(a_payment(due_in_s=-1))
        order_id = charge.payment_id
        body = notice(charge)
        jobs = [
            lambda body=body: receive_webhook(event_id=f"evt_{time.time_ns()}", body=body),
            lambda order_id=order_id: cancel_payment(order_id=order_id),
            lambda: expire_unpaid_payments(limit=5),
        ]
        random.shuffle(jobs)
        at_once(jobs)
        seen[outcome(order_id)] += 1
    assert set(seen) <= {"paid", "cancelled+refund", "expired+refund"}, seen
    assert money_is_right()


@pytest.mark.django_db(transaction=True)
def test_twenty_cancels_one_payment_and_a_sweep_at_once():
    charge = a_charge(a_payment(due_in_s=-1))
    order_id = charge.payment_id
    body = notice(charge)

    at_once(
        [
            *([lambda: cancel_payment(order_id=order_id)] * 20),
            lambda: post(body),
            lambda: expire_unpaid_payments(limit=5),
        ]
    )

    assert outcome(order_id) in {"paid", "cancelled+refund", "expired+refund"}
    assert money_is_right()
