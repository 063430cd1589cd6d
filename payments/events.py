"""What payments tell. One payment row per order decides paid, expired or cancelled; first to write wins."""

from __future__ import annotations

from queueing.event import Event


class PaymentFact(Event):
    order_id: str
    sale_id: int
    user_id: int
    amount_cents: int


class PaymentRequested(PaymentFact):
    """Please pay by `due_at_ms` (PostgreSQL's clock)."""

    wire = "payments.PaymentRequested"
    topic = "orders.events"

    due_at_ms: int


class PaymentSucceeded(PaymentFact):
    wire = "payments.PaymentSucceeded"
    topic = "orders.events"


class PaymentFailed(PaymentFact):
    """The bank said no. The order can still be paid until its due time."""

    wire = "payments.PaymentFailed"
    topic = "orders.events"

    reason: str
    attempt: int  # 1 for the first declined try


class PaymentExpired(PaymentFact):
    wire = "payments.PaymentExpired"
    topic = "orders.events"


class PaymentCancelled(PaymentFact):
    """The buyer cancelled before paying."""

    wire = "payments.PaymentCancelled"
    topic = "orders.events"


class RefundRequested(PaymentFact):
    """Money came for an order that was expired or cancelled by then."""

    wire = "payments.RefundRequested"
    topic = "orders.events"

    refund_id: str
    reason: str


class RefundSucceeded(PaymentFact):
    wire = "payments.RefundSucceeded"
    topic = "orders.events"

    refund_id: str
