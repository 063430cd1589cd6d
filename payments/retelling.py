"""What payments told and was lost with Redis's data, told again from its rows."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from payments import arbiter
from payments.events import PaymentCancelled, PaymentExpired, PaymentRequested, PaymentSucceeded, RefundRequested
from payments.models import Payment, Refund
from queueing.event import Event
from queueing.outbox import publish


@transaction.atomic
def retell_payments(*, order_ids: Iterable[UUID]) -> set[UUID]:
    """Tell again that these orders are to be paid, and how it ended if it has. Returns those that have a payment."""
    payments = list(Payment.objects.filter(order_id__in=list(order_ids)).order_by("order_id"))
    publish(*(event for payment in payments for event in _told(payment)))
    return {payment.order_id for payment in payments}


@transaction.atomic
def retell_refunds() -> int:
    """Ask again for the money that has still to go back; the bank knows each refund by its key. Returns how many."""
    refunds = list(
        Refund.objects.filter(status=Refund.Status.REQUESTED).select_related("charge__payment").order_by("id")
    )
    publish(
        *(
            RefundRequested(
                order_id=str(refund.order_id),
                sale_id=refund.charge.payment.sale_id,
                user_id=refund.charge.payment.user_id,
                amount_cents=refund.amount_cents,
                refund_id=str(refund.id),
                reason=refund.reason,
            )
            for refund in refunds
        )
    )
    return len(refunds)


def _told(payment: Payment) -> list[Event]:
    facts = arbiter.Settled(payment.order_id, payment.sale_id, payment.user_id, payment.amount_cents).facts()
    ending = {
        Payment.Status.PAID: PaymentSucceeded,
        Payment.Status.EXPIRED: PaymentExpired,
        Payment.Status.CANCELLED: PaymentCancelled,
    }.get(Payment.Status(payment.status))
    requested = PaymentRequested(**facts, due_at_ms=int(payment.due_at.timestamp() * 1000))
    return [requested, ending(**facts)] if ending else [requested]
