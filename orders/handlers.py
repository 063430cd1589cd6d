"""What orders does when it hears something: batches of orders move one step, and orders tells it on.

An event that came again or was overtaken moves nothing. One that came early waits until its predecessor was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from django.db import connection

from inventory.events import StockDeducted, StockRejected
from logistics.events import ShipmentCreated, ShipmentDelivered
from orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
    OrderPaid,
    OrderPlaced,
    OrderRejected,
)
from orders.intake import record_placed
from orders.models import Offer
from orders.states import Status
from orders.transitions import Moved, advance, early_ones
from payments.events import PaymentCancelled, PaymentExpired, PaymentRequested, PaymentSucceeded
from queueing.errors import NotYet
from queueing.outbox import publish
from queueing.subscription import DATABASE_RATE, Subscription
from shop.events import SaleScheduled


def placed(events: Sequence[OrderPlaced]) -> None:
    record_placed(events)


def confirm(events: Sequence[StockDeducted]) -> None:
    moved = _step(events, Status.CONFIRMED)
    publish(*(OrderConfirmed(**_fact(one), total_cents=one.total_cents) for one in moved))


def reject(events: Sequence[StockRejected]) -> None:
    reasons = {event.order_id: event.reason for event in events}
    moved = _step(events, Status.REJECTED, column="reject_reason", value=lambda event: event.reason)
    publish(*(OrderRejected(**_fact(one), reason=reasons[one.order_id]) for one in moved))


def note_due_time(events: Sequence[PaymentRequested]) -> None:
    """Shown on the order's page. The payment's row decides, not this."""
    early = early_ones({event.order_id for event in events}, before=[Status.CONFIRMED])
    if early:
        raise NotYet([event for event in events if event.order_id in early])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_order o SET due_at = t.due_at, updated_at = clock_timestamp()"
            " FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, due_at)"
            " WHERE o.id = t.id AND o.due_at IS NULL",
            [
                [event.order_id for event in events],
                [datetime.fromtimestamp(event.due_at_ms / 1000, UTC) for event in events],
            ],
        )


def pay(events: Sequence[PaymentSucceeded]) -> None:
    moved = _step(events, Status.PAID)
    publish(*(OrderPaid(**_fact(one), total_cents=one.total_cents) for one in moved))


def expire(events: Sequence[PaymentExpired]) -> None:
    publish(*(OrderExpired(**_fact(one)) for one in _step(events, Status.EXPIRED)))


def cancel(events: Sequence[PaymentCancelled]) -> None:
    publish(*(OrderCancelled(**_fact(one)) for one in _step(events, Status.CANCELLED)))


def ship(events: Sequence[ShipmentCreated]) -> None:
    _step(events, Status.SHIPPED, column="tracking_number", value=lambda event: event.tracking_number)


def deliver(events: Sequence[ShipmentDelivered]) -> None:
    _step(events, Status.DELIVERED)


def note_offer(events: Sequence[SaleScheduled]) -> None:
    latest = {event.sale_id: event for event in events}
    Offer.objects.bulk_create(
        [
            Offer(sale_id=event.sale_id, title=event.title, picture=event.picture, price_cents=event.price_cents)
            for event in latest.values()
        ],
        update_conflicts=True,
        unique_fields=["sale_id"],
        update_fields=["title", "picture", "price_cents"],
    )


class _AboutAnOrder(Protocol):
    wire: ClassVar[str]

    @property
    def order_id(self) -> str: ...


E = TypeVar("E", bound=_AboutAnOrder)


def _step(
    events: Sequence[E], to: Status, *, column: str = "", value: Callable[[E], str] = lambda _: ""
) -> Sequence[Moved]:
    outcome = advance({event.order_id: value(event) for event in events}, to=to, cause=events[0].wire, column=column)
    if outcome.early:
        raise NotYet([event for event in events if event.order_id in outcome.early])  # type: ignore[misc]
    return outcome.moved


def _fact(one: Moved) -> dict[str, Any]:
    return {
        "order_id": one.order_id,
        "sale_id": one.sale_id,
        "user_id": one.user_id,
        "quantity": one.quantity,
    }


SUBSCRIPTION = Subscription(
    group="orders",
    # Each batch waits for both disks, twice: the fewer there are, the sooner a backlog is gone that no cap holds back.
    batch_size=2_000,
    # Each its own: what happens to orders later takes nothing from the queue that shoppers stand in.
    rate={"orders.placed": DATABASE_RATE, "orders.events": DATABASE_RATE},
    handlers={
        OrderPlaced: placed,
        StockDeducted: confirm,
        StockRejected: reject,
        PaymentRequested: note_due_time,
        PaymentSucceeded: pay,
        PaymentExpired: expire,
        PaymentCancelled: cancel,
        ShipmentCreated: ship,
        ShipmentDelivered: deliver,
        SaleScheduled: note_offer,
    },
)
