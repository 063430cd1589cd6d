"""What payments listens to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from orders.events import OrderConfirmed
from payments.errors import BankTooSlow
from payments.events import RefundRequested
from payments.money import send_refunds
from payments.services import Demand, request_payments
from queueing.errors import NotYet
from queueing.subscription import DATABASE_RATE, Subscription


def ask_for_money(events: Sequence[OrderConfirmed]) -> None:
    """An order got its unit: its money is due. Asked once per order, whatever its payment has become since."""
    request_payments(
        demands=[Demand(UUID(event.order_id), event.sale_id, event.user_id, event.total_cents) for event in events]
    )


def send_money_back(events: Sequence[RefundRequested]) -> None:
    """Money came too late or twice. A bank that does not answer, or slowly, makes the message come again, later."""
    try:
        send_refunds(refund_ids={UUID(event.refund_id) for event in events})
    except BankTooSlow as slow:
        raise NotYet([event for event in events if UUID(event.refund_id) in slow.left], str(slow)) from slow


SUBSCRIPTION = Subscription(
    group="payments",
    rate=DATABASE_RATE,
    handlers={
        OrderConfirmed: ask_for_money,
        RefundRequested: send_money_back,
    },
)
