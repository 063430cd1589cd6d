"""From the admission log to rows: a batch of admitted orders at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from django.db import IntegrityError, transaction

from orders.events import OrderCreated, OrderPlaced
from orders.models import Order, Transition
from orders.states import BIRTH, Status
from orders.voiding import still_placed
from queueing.db import copy_in
from queueing.outbox import publish

logger = logging.getLogger(__name__)

_COLUMNS = (
    "id", "sale_id", "user_id", "idempotency_key", "quantity", "price_cents", "total_cents", "status", "epoch", "seq",
    "placed_at", "reject_reason",
)  # fmt: skip
_CREATED = Status.CREATED.value  # an enum looks each value up


class KeyTaken(Exception):
    """Another order has this sale, user and idempotency key. The unit of this one is deducted in Redis and belongs to
    nobody: an operator must see it. It can only come from a Redis that lost its answers and went on admitting."""


def record_placed(events: Sequence[OrderPlaced]) -> None:
    """Rows for these orders, and OrderCreated for those that are new. Void ones get none.

    The inbox passes on only what was never handled, so nearly always all are new and go in by COPY. Only a log that
    was told a second time, under new message ids, brings some that have a row.

    Raises:
        KeyTaken: see there.
    """
    placed = still_placed(events)
    if len(placed) < len(events):
        logger.warning("%d admissions of an epoch that is over are void", len(events) - len(placed))
    born: Sequence[OrderPlaced] = placed
    try:
        with transaction.atomic():
            _insert(placed)
    except IntegrityError:
        born = _without_row(placed)
        _insert_or_name_the_key(born)
    publish(*map(_created, born))


def _insert(events: Sequence[OrderPlaced]) -> None:
    copy_in(Order._meta.db_table, _COLUMNS, map(_row, events))
    copy_in(
        Transition._meta.db_table,
        ("order_id", "from_status", "to_status", "cause"),
        ((event.order_id, BIRTH, _CREATED, OrderPlaced.wire) for event in events),
    )


def _row(event: OrderPlaced) -> tuple[object, ...]:
    return (
        event.order_id,
        event.sale_id,
        event.user_id,
        event.idempotency_key,
        event.quantity,
        event.price_cents,
        event.price_cents * event.quantity,
        _CREATED,
        event.epoch,
        event.seq,
        _moment(event.placed_at_ms),
        "",
    )


@lru_cache(4096)
def _moment(at_ms: int) -> str:
    """As PostgreSQL reads it. A script of the gate admits up to 128 in one millisecond; psycopg would write each one's
    datetime in Python."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def _without_row(events: Sequence[OrderPlaced]) -> list[OrderPlaced]:
    """Those whose order has no row yet, once each."""
    first: dict[str, OrderPlaced] = {}
    for event in events:
        first.setdefault(event.order_id, event)
    known = {str(found) for found in Order.objects.filter(id__in=first).values_list("id", flat=True)}
    return [event for order_id, event in first.items() if order_id not in known]


def _insert_or_name_the_key(events: Sequence[OrderPlaced]) -> None:
    try:
        _insert(events)
    except IntegrityError as error:  # their ids are new, so it is the other unique constraint
        raise KeyTaken(f"another order has the idempotency key of {_few(events)}") from error


def _few(events: Sequence[OrderPlaced], most: int = 3) -> str:
    """The batch is halved until one stands alone, which is then named."""
    named = ", ".join(event.order_id for event in events[:most])
    return f"{named} or {len(events) - most} more" if len(events) > most else named


def _created(event: OrderPlaced) -> OrderCreated:
    return OrderCreated(
        order_id=event.order_id,
        sale_id=event.sale_id,
        user_id=event.user_id,
        quantity=event.quantity,
        total_cents=event.price_cents * event.quantity,
        placed_at_ms=event.placed_at_ms,
    )
