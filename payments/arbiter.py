"""The one place that decides how a payment ends. Every way out of `pending` is one conditional UPDATE.

PostgreSQL lines up whoever wants the same row; the second finds `status = 'pending'` untrue and gets nothing back.
The row stays locked until the caller commits, so what the caller publishes keeps the order of the decisions.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict
from uuid import UUID

from django.db import connection

Ending = Literal["paid", "expired", "cancelled"]


class Facts(TypedDict):
    """The fields every event about a payment has."""

    order_id: str
    sale_id: int
    user_id: int
    amount_cents: int


class Settled(NamedTuple):
    """A payment that ended just now, as every event about it tells it."""

    order_id: UUID
    sale_id: int
    user_id: int
    amount_cents: int

    def facts(self) -> Facts:
        return {
            "order_id": str(self.order_id),
            "sale_id": self.sale_id,
            "user_id": self.user_id,
            "amount_cents": self.amount_cents,
        }


_SETTLE = """
    UPDATE payments_payment SET status = %s, settled_at = statement_timestamp()
    WHERE order_id = %s AND status = 'pending'
    RETURNING order_id, sale_id, user_id, amount_cents
"""
# MATERIALIZED: the rows are chosen and locked once, however the join is planned. SKIP LOCKED: two sweepers share the
# work, and a row that is being paid right now is left to its payer; if that fails the next sweep finds it.
_EXPIRE_DUE = """
    WITH due AS MATERIALIZED (
        SELECT order_id FROM payments_payment
        WHERE status = 'pending' AND due_at <= statement_timestamp()
        ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE payments_payment AS payment SET status = 'expired', settled_at = statement_timestamp()
    FROM due WHERE payment.order_id = due.order_id AND payment.status = 'pending'
    RETURNING payment.order_id, payment.sale_id, payment.user_id, payment.amount_cents
"""


def settle(*, order_id: UUID, as_: Ending) -> Settled | None:
    """End this payment; None if it is not there or has ended already."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [as_, order_id])
        row = cursor.fetchone()
    return Settled(*row) if row else None


def expire_due(*, limit: int) -> list[Settled]:
    """Expire up to `limit` unpaid payments whose time is over by PostgreSQL's clock, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRE_DUE, [limit])
        return [Settled(*row) for row in cursor.fetchall()]
