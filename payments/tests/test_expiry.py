"""Who does not pay in time lets go, once."""

from __future__ import annotations

import pytest
from django.db import transaction

from payments.models import Payment
from payments.services import cancel_payment, expire_unpaid_payments
from payments.tasks import expire_unpaid
from payments.tests.support import a_charge, a_payment, money_is_right, notice, post, told
from tests.threads import at_once


@pytest.mark.django_db
def test_over_time_is_expired_and_in_time_is_not():
    late, early = a_payment(due_in_s=-0.001), a_payment(due_in_s=60)

    assert expire_unpaid_payments() == 1

    late.refresh_from_db()
    early.refresh_from_db()
    assert (late.status, early.status) == ("expired", "pending")
    assert late.settled_at is not None
    assert told(late.order_id)["PaymentExpired"] == 1
    assert told(early.order_id)["PaymentExpired"] == 0


@pytest.mark.django_db
def test_expired_once_however_often_it_is_swept():
    payment = a_payment(due_in_s=-1)
    assert [expire_unpaid_payments() for _ in range(3)] == [1, 0, 0]
    assert told(payment.order_id)["PaymentExpired"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["paid", "cancelled"])
def test_what_has_ended_does_not_expire(ending):
    payment = a_payment(due_in_s=-1)
    if ending == "paid":
        post(notice(a_charge(payment)))
    else:
        cancel_payment(order_id=payment.order_id)

    assert expire_unpaid_payments() == 0

    payment.refresh_from_db()
    assert payment.status == ending
    assert "PaymentExpired" not in told()


@pytest.mark.django_db
def test_oldest_first_and_no_more_than_asked():
    newer, oldest = a_payment(due_in_s=-1), a_payment(due_in_s=-9)
    assert expire_unpaid_payments(limit=1) == 1
    newer.refresh_from_db()
    oldest.refresh_from_db()
    assert (oldest.status, newer.status) == ("expired", "pending")


@pytest.mark.django_db
def test_the_task_works_off_more_than_one_batch(monkeypatch):
    monkeypatch.setattr("payments.tasks.BATCH", 4)
    for _ in range(9):
        a_payment(due_in_s=-1)
    expire_unpaid()
    assert told()["PaymentExpired"] == 9


@pytest.mark.django_db(transaction=True)
def test_sweepers_at_once_double_nothing_and_miss_nothing():
    for _ in range(200):
        a_payment(due_in_s=-1)

    counts = at_once([lambda: sum(expire_unpaid_payments(limit=10) for _ in range(60))] * 4)

    assert sum(counts) == 200
    assert told()["PaymentExpired"] == 200
    assert Payment.objects.filter(status="expired").count() == 200
    assert money_is_right()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_being_decided_is_left_alone_not_waited_for():
    held, free = a_payment(due_in_s=-2), a_payment(due_in_s=-1)

    with transaction.atomic():
        assert cancel_payment(order_id=held.order_id)
        assert at_once([expire_unpaid_payments]) == [1]  # returned while the row above is locked

    held.refresh_from_db()
    free.refresh_from_db()
    assert (held.status, free.status) == ("cancelled", "expired")


@pytest.mark.django_db(transaction=True)
def test_if_the_decision_is_rolled_back_the_next_sweep_finds_the_row():
    payment = a_payment(due_in_s=-1)
    with transaction.atomic():
        cancel_payment(order_id=payment.order_id)
        transaction.set_rollback(True)  # as when the web process dies here

    assert expire_unpaid_payments() == 1
    assert told(payment.order_id) == {"PaymentRequested": 1, "PaymentExpired": 1}
