"""What notifications hear: every step of an order that its buyer wants to know of."""

from __future__ import annotations

from collections.abc import Sequence

from logistics.events import ShipmentCreated, ShipmentDelivered, ShipmentFact
from notifications.models import Notification
from notifications.services import News, tell_buyers
from orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
    OrderFact,
    OrderPaid,
    OrderPlaced,
    OrderRejected,
)
from payments.events import PaymentFact, PaymentFailed, RefundSucceeded
from queueing.subscription import Subscription

Kind = Notification.Kind


def order_received(events: Sequence[OrderPlaced]) -> None:
    tell_buyers(kind=Kind.RECEIVED, news=[News(event.order_id, event.user_id) for event in events])


def order_confirmed(events: Sequence[OrderConfirmed]) -> None:
    tell_buyers(kind=Kind.CONFIRMED, news=_with_total(events))


def order_paid(events: Sequence[OrderPaid]) -> None:
    tell_buyers(kind=Kind.PAID, news=_with_total(events))


def payment_failed(events: Sequence[PaymentFailed]) -> None:
    """Each declined try is news of its own."""
    news = [
        News(event.order_id, event.user_id, {"total_cents": event.amount_cents}, attempt=event.attempt)
        for event in events
    ]
    tell_buyers(kind=Kind.PAYMENT_FAILED, news=news)


def shipment_created(events: Sequence[ShipmentCreated]) -> None:
    tell_buyers(kind=Kind.SHIPPED, news=_with_tracking_number(events))


def shipment_delivered(events: Sequence[ShipmentDelivered]) -> None:
    tell_buyers(kind=Kind.DELIVERED, news=_with_tracking_number(events))


def order_expired(events: Sequence[OrderExpired]) -> None:
    tell_buyers(kind=Kind.EXPIRED, news=_plain(events))


def order_rejected(events: Sequence[OrderRejected]) -> None:
    tell_buyers(kind=Kind.REJECTED, news=_plain(events))


def order_cancelled(events: Sequence[OrderCancelled]) -> None:
    tell_buyers(kind=Kind.CANCELLED, news=_plain(events))


def refund_succeeded(events: Sequence[RefundSucceeded]) -> None:
    tell_buyers(kind=Kind.REFUNDED, news=_with_amount(events))


def _plain(events: Sequence[OrderFact]) -> list[News]:
    return [News(event.order_id, event.user_id) for event in events]


def _with_total(events: Sequence[OrderConfirmed | OrderPaid]) -> list[News]:
    return [News(event.order_id, event.user_id, {"total_cents": event.total_cents}) for event in events]


def _with_amount(events: Sequence[PaymentFact]) -> list[News]:
    return [News(event.order_id, event.user_id, {"total_cents": event.amount_cents}) for event in events]


def _with_tracking_number(events: Sequence[ShipmentFact]) -> list[News]:
    return [News(event.order_id, event.user_id, {"tracking_number": event.tracking_number}) for event in events]


PROVIDER_RATE = 500.0  # messages a second: what a provider takes, and half a core less for them in the hot second

SUBSCRIPTION = Subscription(
    group="notifications",
    rate=PROVIDER_RATE,
    handlers={
        OrderPlaced: order_received,
        OrderConfirmed: order_confirmed,
        OrderPaid: order_paid,
        PaymentFailed: payment_failed,
        ShipmentCreated: shipment_created,
        ShipmentDelivered: shipment_delivered,
        OrderExpired: order_expired,
        OrderRejected: order_rejected,
        OrderCancelled: order_cancelled,
        RefundSucceeded: refund_succeeded,
    },
)
