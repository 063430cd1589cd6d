"""What pages ask about money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from payments.models import Payment, Refund


@dataclass(frozen=True, slots=True)
class PaymentState:
    """A payment as its buyer sees it, at `now` by PostgreSQL's clock."""

    payment: Payment
    refunds: list[Refund]
    now: datetime

    @property
    def payable(self) -> bool:
        return self.payment.status == Payment.Status.PENDING and self.payment.due_at > self.now

    @property
    def word(self) -> str:
        """payable, paid, expired or cancelled. One whose time is over reads expired before the sweep writes it."""
        if self.payment.status == Payment.Status.PENDING:
            return "payable" if self.payable else "expired"
        return self.payment.status


def payment_of_buyer(*, order_id: UUID, user_id: int | None) -> PaymentState | None:
    """The payment of this order if it is this buyer's; None otherwise, and before the order is confirmed."""
    if user_id is None:  # nobody is logged in
        return None
    payment = Payment.objects.filter(order_id=order_id, user_id=user_id).annotate(now=Now()).first()
    if payment is None:
        return None
    return PaymentState(payment, list(Refund.objects.filter(order_id=order_id).order_by("id")), payment.now)
