"""Events that were told and lost with Redis's data, told again from the rows they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import transaction

from orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderPaid,
    OrderPlaced,
    OrderRejected,
)
from orders.models import Order
from orders.states import Status
from queueing.event import Event
from queueing.outbox import publish

CHUNK = 2_000


def ids_in(*statuses: Status) -> set[UUID]:
    return set(Order.objects.filter(status__in=statuses).values_list("id", flat=True))


def admissions_of(sale_id: int) -> Iterator[OrderPlaced]:
    """Every order of the sale as the gate admitted it; encoded, the very bytes that its key is answered with."""
    for order in Order.objects.filter(sale_id=sale_id).order_by("seq").iterator(CHUNK):
        yield OrderPlaced(
            order_id=str(order.id),
            sale_id=order.sale_id,
            user_id=order.user_id,
            idempotency_key=order.idempotency_key,
            quantity=order.quantity,
            price_cents=order.price_cents,
            seq=order.seq,
            epoch=order.epoch,
            placed_at_ms=_milliseconds(order),
        )


@transaction.atomic
def retell(*, order_ids: Iterable[UUID]) -> int:
    """Tell again what each of these orders told last; whoever heard it does nothing. Returns how many."""
    told = 0
    ids = sorted(order_ids)
    for start in range(0, len(ids), CHUNK):
        rows = Order.objects.filter(id__in=ids[start : start + CHUNK]).order_by("id")
        told += len(publish(*(_last_word(order) for order in rows)))
    return told


def _last_word(order: Order) -> Event:
    fact: dict[str, Any] = {
        "order_id": str(order.id),
        "sale_id": order.sale_id,
        "user_id": order.user_id,
        "quantity": order.quantity,
    }
    match Status(order.status):
        case Status.CREATED:
            return OrderCreated(**fact, total_cents=order.total_cents, placed_at_ms=_milliseconds(order))
        case Status.CONFIRMED:
            return OrderConfirmed(**fact, total_cents=order.total_cents)
        case Status.REJECTED:
            return OrderRejected(**fact, reason=order.reject_reason)
        case Status.EXPIRED:
            return OrderExpired(**fact)
        case Status.CANCELLED:
            return OrderCancelled(**fact)
        case Status.PAID | Status.SHIPPED | Status.DELIVERED:
            return OrderPaid(**fact, total_cents=order.total_cents)


def _milliseconds(order: Order) -> int:
    return round(order.placed_at.timestamp() * 1000)
