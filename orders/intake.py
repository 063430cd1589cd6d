"""From the admission log to rows: a batch of admitted orders in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from orders.events import OrderCreated, OrderPlaced
from orders.models import Order
from orders.states import BIRTH, Status
from queueing.outbox import publish

_INSERT = """
WITH born AS (
    INSERT INTO orders_order (id, sale_id, user_id, idempotency_key, quantity, price_cents, total_cents, status, epoch,
                              seq, placed_at, reject_reason)
    SELECT id, sale_id, user_id, idempotency_key, quantity, price_cents, price_cents * quantity, %(created)s, epoch,
           seq, to_timestamp(placed_at_ms / 1000.0), ''
    FROM unnest(%(ids)s::uuid[], %(sales)s::bigint[], %(users)s::bigint[], %(keys)s::text[], %(quantities)s::int[],
                %(prices)s::bigint[], %(epochs)s::int[], %(seqs)s::bigint[], %(times)s::bigint[])
         AS placed (id, sale_id, user_id, idempotency_key, quantity, price_cents, epoch, seq, placed_at_ms)
    ON CONFLICT DO NOTHING
    RETURNING id
), told AS (
    INSERT INTO orders_transition (order_id, from_status, to_status, cause, at)
    SELECT id, %(birth)s, %(created)s, %(cause)s, clock_timestamp() FROM born
)
SELECT id FROM born
"""


class KeyTaken(Exception):
    """Another order has this sale, user and idempotency key. The unit of this one is deducted in Redis and belongs to
    nobody: an operator must see it. It can only come from a Redis that lost its answers and went on admitting."""


def record_placed(events: Sequence[OrderPlaced]) -> None:
    """Rows for these orders, and OrderCreated for those that are new.

    Raises:
        KeyTaken: see there.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "ids": [event.order_id for event in events],
                "sales": [event.sale_id for event in events],
                "users": [event.user_id for event in events],
                "keys": [event.idempotency_key for event in events],
                "quantities": [event.quantity for event in events],
                "prices": [event.price_cents for event in events],
                "epochs": [event.epoch for event in events],
                "seqs": [event.seq for event in events],
                "times": [event.placed_at_ms for event in events],
                "created": Status.CREATED.value,
                "birth": BIRTH,
                "cause": OrderPlaced.wire,
            },
        )
        born = {str(row[0]) for row in cursor.fetchall()}
    _nobody_else_has_the_key([event.order_id for event in events if event.order_id not in born])
    publish(*(_created(event) for event in events if event.order_id in born))


def _nobody_else_has_the_key(not_born: Sequence[str]) -> None:
    if not not_born:
        return
    known = {str(found) for found in Order.objects.filter(id__in=not_born).values_list("id", flat=True)}
    taken = sorted(set(not_born) - known)
    if taken:
        raise KeyTaken(f"another order has the idempotency key of {', '.join(taken)}")


def _created(event: OrderPlaced) -> OrderCreated:
    return OrderCreated(
        order_id=event.order_id,
        sale_id=event.sale_id,
        user_id=event.user_id,
        quantity=event.quantity,
        total_cents=event.price_cents * event.quantity,
        placed_at_ms=event.placed_at_ms,
    )
