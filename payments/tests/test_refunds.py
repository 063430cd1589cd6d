"""Money that came too late, or twice, goes back once."""

from __future__ import annotations

from typing import ClassVar

import pytest
import uuid_utils.compat as uuid
from django.db import transaction

from payments.demo_bank.models import DemoCharge, DemoRefund
from payments.demo_bank.provider import DemoBank
from payments.demo_bank.services import pay_charge
from payments.errors import ProviderRefused, ProviderUnavailable, UnknownRefund
from payments.events import RefundRequested
from payments.handlers import send_money_back
from payments.models import Charge, Payment, Refund
from payments.services import cancel_payment, expire_unpaid_payments
from payments.tests.support import a_charge, a_payment, money_is_right, notice, post, told
from queueing.event import event_class
from queueing.models import OutboxMessage
from tests.threads import at_once


def pay_late(how: str = "expired") -> Charge:
    """The buyer paid at the bank while the order ended without the money."""
    payment = a_payment(due_in_s=-1)
    charge = a_charge(payment)
    if how == "expired":
        expire_unpaid_payments()
    else:
        cancel_payment(order_id=payment.order_id)
    pay_charge(charge_id=charge.id)
    assert post(notice(charge)).json() == {"outcome": "refunded"}
    return charge


def requested() -> list[RefundRequested]:
    rows = OutboxMessage.objects.filter(name=RefundRequested.wire).order_by("id")
    return [event_class(row.name, row.version).decode(row.body.encode()) for row in rows]


def handle(*events: RefundRequested) -> None:
    with transaction.atomic():
        send_money_back(events)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("how", "reason"), [("expired", "paid_after_expiry"), ("cancelled", "paid_after_cancellation")]
)
def test_late_money_does_not_revive_the_order_it_goes_back(how, reason):
    charge = pay_late(how)

    assert Payment.objects.get().status == how
    refund = Refund.objects.get()
    assert (refund.status, refund.reason, refund.amount_cents) == ("requested", reason, 4_900)
    assert [event.refund_id for event in requested()] == [str(refund.id)]
    assert money_is_right()

    handle(*requested())

    refund.refresh_from_db()
    assert refund.status == "succeeded"
    assert refund.settled_at is not None
    assert DemoRefund.objects.get().charge_id == DemoCharge.objects.get(id=charge.id).id
    assert told(charge.payment_id)["RefundSucceeded"] == 1
    assert money_is_right()


@pytest.mark.django_db
def test_a_second_charge_for_a_paid_order_goes_back():
    payment = a_payment()
    first = a_charge(payment)
    post(notice(first))
    created = DemoBank().create_charge(
        order_id=payment.order_id,
        amount_cents=4_900,
        currency="EUR",
        return_url="http://testserver/",
        idempotency_key="the bank forgot the first key",
    )
    second = Charge.objects.create(id=created.id, payment=payment, amount_cents=4_900)
    pay_charge(charge_id=second.id)

    assert post(notice(second)).json() == {"outcome": "refunded"}

    handle(*requested())
    assert Refund.objects.get().reason == "paid_twice"
    assert Payment.objects.get().status == "paid"
    assert told(payment.order_id)["PaymentSucceeded"] == 1
    assert money_is_right()


@pytest.mark.django_db
def test_the_same_request_again_sends_nothing_again():
    pay_late()
    event = requested()[0]
    for events in ([event], [event, event], [event]):
        handle(*events)
    assert DemoRefund.objects.count() == 1
    assert told()["RefundSucceeded"] == 1


@pytest.mark.django_db(transaction=True)
def test_two_consumers_with_the_same_request_send_it_once():
    pay_late()
    event = requested()[0]
    at_once([lambda: handle(event)] * 5)
    assert DemoRefund.objects.count() == 1
    assert told()["RefundSucceeded"] == 1


@pytest.mark.django_db
def test_a_request_without_its_row_is_an_error_and_changes_nothing():
    pay_late()
    event = requested()[0]
    stray = RefundRequested(
        order_id=event.order_id,
        sale_id=7,
        user_id=1,
        amount_cents=4_900,
        refund_id=str(uuid.uuid7()),
        reason="paid_twice",
    )
    with pytest.raises(UnknownRefund, match=stray.refund_id):
        handle(event, stray)
    assert Refund.objects.get().status == "requested"
    assert not DemoRefund.objects.exists()


class BankThatHangsUp(DemoBank):
    """Keeps its books elsewhere, sends the money back, and dies before it says so: the worst moment."""

    asked: ClassVar[list[str]] = []

    def refund(self, *, charge_id: str, amount_cents: int, idempotency_key: str) -> None:
        self.asked.append(idempotency_key)
        if len(self.asked) == 1:
            raise ProviderUnavailable


@pytest.mark.django_db
def test_a_bank_that_hangs_up_is_asked_again_with_the_same_key(settings, monkeypatch):
    monkeypatch.setattr(BankThatHangsUp, "asked", [])
    settings.PAYMENT_PROVIDER = f"{__name__}.BankThatHangsUp"
    pay_late()
    event = requested()[0]

    with pytest.raises(ProviderUnavailable):
        handle(event)

    assert Refund.objects.get().status == "requested"
    assert "RefundSucceeded" not in told()
    handle(event)
    handle(event)
    assert Refund.objects.get().status == "succeeded"
    assert BankThatHangsUp.asked == [event.refund_id, event.refund_id]


@pytest.mark.django_db
def test_the_bank_pays_back_only_what_was_paid():
    charge = a_charge(a_payment())
    ask = DemoBank().refund
    with pytest.raises(ProviderRefused, match="no paid charge"):
        ask(charge_id=charge.id, amount_cents=4_900, idempotency_key="a")
    pay_charge(charge_id=charge.id)
    with pytest.raises(ProviderRefused, match="no paid charge"):
        ask(charge_id=charge.id, amount_cents=4_901, idempotency_key="a")
    ask(charge_id=charge.id, amount_cents=4_900, idempotency_key="a")
    ask(charge_id=charge.id, amount_cents=4_900, idempotency_key="a")
    with pytest.raises(ProviderRefused, match="already"):
        ask(charge_id=charge.id, amount_cents=4_900, idempotency_key="b")
    assert DemoRefund.objects.count() == 1


@pytest.mark.django_db
def test_one_key_is_one_charge_and_never_another():
    payment = a_payment()
    ask = {
        "order_id": payment.order_id,
        "currency": "EUR",
        "return_url": "http://testserver/",
        "idempotency_key": "k",
    }
    first = DemoBank().create_charge(amount_cents=4_900, **ask)
    assert DemoBank().create_charge(amount_cents=4_900, **ask) == first
    with pytest.raises(ProviderRefused, match="another charge"):
        DemoBank().create_charge(amount_cents=1, **ask)
