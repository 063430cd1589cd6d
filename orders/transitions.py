"""Moving orders along their graph, many at once: each step in one statement, with its line of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from orders.models import Order
from orders.states import Status, can_still_reach, sources


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that took the step now."""

    order_id: str
    sale_id: int
    user_id: int
    quantity: int
    total_cents: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """moved: took the step now. early: has still to come to where the step begins, or has no row yet.

    Whoever is in neither is past the step, or went another way: the event was overtaken and changes nothing.
    """

    moved: Sequence[Moved]
    early: frozenset[str]


# Row locks are taken in the order of ids, so that two batches can't wait for each other in a circle.
_STEP = """
WITH asked AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(values)s::text[]) AS t (id, value)
), ready AS (
    SELECT o.id, o.status, asked.value
    FROM orders_order o JOIN asked USING (id)
    WHERE o.status = ANY(%(sources)s)
    ORDER BY o.id FOR UPDATE OF o
), moved AS (
    UPDATE orders_order o
    SET status = %(to)s, updated_at = clock_timestamp(),
        tracking_number = CASE WHEN %(column)s = 'tracking_number' THEN ready.value ELSE o.tracking_number END,
        reject_reason = CASE WHEN %(column)s = 'reject_reason' THEN left(ready.value, 200) ELSE o.reject_reason END
    FROM ready WHERE o.id = ready.id
    RETURNING o.id, ready.status AS from_status, o.sale_id, o.user_id, o.quantity, o.total_cents
), told AS (
    INSERT INTO orders_transition (order_id, from_status, to_status, cause, at)
    SELECT id, from_status, %(to)s, %(cause)s, clock_timestamp() FROM moved
)
SELECT id, sale_id, user_id, quantity, total_cents FROM moved ORDER BY id
"""


def advance(orders: Mapping[str, str], *, to: Status, cause: str, column: str = "") -> Outcome:
    """Take these orders to `to`, from wherever the graph allows one step there.

    orders: order id → value for `column` (tracking_number or reject_reason; '' when there is none).
    cause: wire name of the event that says so. Publish what follows in the same transaction.
    """
    begin = sources(to)
    with connection.cursor() as cursor:
        cursor.execute(
            _STEP,
            {
                "ids": list(orders),
                "values": list(orders.values()),
                "sources": begin,
                "to": to.value,
                "cause": cause,
                "column": column,
            },
        )
        moved = [Moved(str(row[0]), *row[1:]) for row in cursor.fetchall()]
    rest = orders.keys() - {one.order_id for one in moved}
    return Outcome(moved, early_ones(rest, before=begin))


def early_ones(order_ids: set[str], *, before: Sequence[str]) -> frozenset[str]:
    """Of these, the orders that have no row yet or can still come to a status of `before`."""
    if not order_ids:
        return frozenset()
    found = dict(Order.objects.filter(id__in=order_ids).values_list("id", "status"))
    statuses = {str(order_id): status for order_id, status in found.items()}
    return frozenset(
        order_id for order_id in order_ids if order_id not in statuses or can_still_reach(statuses[order_id], before)
    )
