"""Money that came, was declined, came too late, and went back.

Σ captured charges - Σ refunds = Σ paid payments: a capture either pays its order or makes a refund, in one commit.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from payments import arbiter
from payments.errors import BankTooSlow, UnknownRefund
from payments.events import PaymentFailed, PaymentSucceeded, RefundRequested, RefundSucceeded
from payments.models import Payment, Refund
from payments.provider import provider
from queueing.outbox import publish

# Of the nine seconds that a handler has (queueing.subscription): one more answer, of five, is in time.
BANK_WITHIN_S = 3.0
WHY_BACK = {
    Payment.Status.EXPIRED: "paid_after_expiry",
    Payment.Status.CANCELLED: "paid_after_cancellation",
    Payment.Status.PAID: "paid_twice",
}
_CAPTURE = """
    UPDATE payments_charge SET captured_at = statement_timestamp()
    WHERE id = %s AND captured_at IS NULL RETURNING payment_id, amount_cents
"""
_DECLINE = """
    UPDATE payments_payment SET declines = declines + 1
    WHERE order_id = %s AND status = 'pending'
    RETURNING order_id, sale_id, user_id, amount_cents, declines
"""


@transaction.atomic
def capture_charge(*, charge_id: str) -> Literal["captured", "refunded", "no_effect"]:
    """The bank has the money of this charge: it pays its order, or goes back if the order ended without it."""
    with connection.cursor() as cursor:
        cursor.execute(_CAPTURE, [charge_id])
        row = cursor.fetchone()
    if row is None:
        return "no_effect"  # told already
    order_id, amount_cents = row
    paid = arbiter.settle(order_id=order_id, as_="paid")
    if paid:
        publish(PaymentSucceeded(**paid.facts()))
        return "captured"
    payment = Payment.objects.select_for_update().get(order_id=order_id)
    reason = WHY_BACK[Payment.Status(payment.status)]
    refund = Refund.objects.create(charge_id=charge_id, order_id=order_id, amount_cents=amount_cents, reason=reason)
    publish(
        RefundRequested(
            order_id=str(order_id),
            sale_id=payment.sale_id,
            user_id=payment.user_id,
            amount_cents=amount_cents,
            refund_id=str(refund.id),
            reason=reason,
        )
    )
    return "refunded"


@transaction.atomic
def record_decline(*, order_id: UUID, reason: str) -> Literal["declined", "no_effect"]:
    """The bank said no. The order may be paid by another try until it is due."""
    with connection.cursor() as cursor:
        cursor.execute(_DECLINE, [order_id])
        row = cursor.fetchone()
    if row is None:
        return "no_effect"  # overtaken: it was paid, expired or cancelled meanwhile
    *settled, attempt = row
    publish(PaymentFailed(**arbiter.Settled(*settled).facts(), reason=reason, attempt=attempt))
    return "declined"


@transaction.atomic
def send_refunds(*, refund_ids: Collection[UUID]) -> int:
    """Send this money back, once each; how many were not sent before.

    The bank is asked inside the transaction. If it does not commit, the same question comes again with the same
    idempotency key, and the bank pays nothing twice.

    Raises:
        UnknownRefund: an id without a row. Its event was written with the row, so something is badly wrong.
        BankTooSlow: the bank took BANK_WITHIN_S for some of them. Call again for those it names, apart.
        ProviderUnavailable, ProviderRefused: from the bank; nothing of this call is recorded.
    """
    refunds = {
        refund.id: refund
        for refund in Refund.objects.select_for_update(of=("self",))
        .select_related("charge__payment")
        .filter(id__in=refund_ids)
        .order_by("id")
    }
    if missing := set(refund_ids) - refunds.keys():
        raise UnknownRefund(f"no refund has the id {', '.join(map(str, sorted(missing)))}")
    wanted = [refund for refund in refunds.values() if refund.status == Refund.Status.REQUESTED]
    began = time.monotonic()
    for asked, refund in enumerate(wanted):
        if asked and time.monotonic() - began > BANK_WITHIN_S:
            raise BankTooSlow([refund.id for refund in wanted[asked:]])
        provider().refund(charge_id=refund.charge_id, amount_cents=refund.amount_cents, idempotency_key=str(refund.id))
    Refund.objects.filter(id__in=[refund.id for refund in wanted]).update(
        status=Refund.Status.SUCCEEDED, settled_at=Now()
    )
    publish(
        *(
            RefundSucceeded(
                order_id=str(refund.order_id),
                sale_id=refund.charge.payment.sale_id,
                user_id=refund.charge.payment.user_id,
                amount_cents=refund.amount_cents,
                refund_id=str(refund.id),
            )
            for refund in wanted
        )
    )
    return len(wanted)
