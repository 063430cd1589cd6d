"""Everything that happens to a payment. Each service is one transaction: the fact and the event that tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from payments import arbiter
from payments.events import PaymentCancelled, PaymentExpired, PaymentRequested
from payments.models import Charge, Payment
from payments.provider import provider
from queueing.outbox import publish


class Demand(NamedTuple):
    """An order that wants to be paid."""

    order_id: UUID
    sale_id: int
    user_id: int
    amount_cents: int


_REQUEST = """
    INSERT INTO payments_payment (order_id, sale_id, user_id, amount_cents, status, declines, created_at, due_at)
    SELECT order_id, sale_id, user_id, amount_cents, 'pending', 0, statement_timestamp(),
           statement_timestamp() + make_interval(secs => %s)
    FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[])
         AS demand (order_id, sale_id, user_id, amount_cents)
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id, sale_id, user_id, amount_cents, due_at
"""


@transaction.atomic
def request_payments(*, demands: Sequence[Demand]) -> int:
    """Ask for the money of these orders, due in settings.PAYMENT_DUE_S seconds; how many were not asked before."""
    # Sorted: two consumers inserting the same orders in different order would wait for each other.
    columns = list(zip(*sorted(demands), strict=True))
    if not columns:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_REQUEST, [settings.PAYMENT_DUE_S, *map(list, columns)])
        requested = cursor.fetchall()
    publish(
        *(
            PaymentRequested(
                order_id=str(order_id),
                sale_id=sale_id,
                user_id=user_id,
                amount_cents=amount_cents,
                due_at_ms=int(due_at.timestamp() * 1000),
            )
            for order_id, sale_id, user_id, amount_cents, due_at in requested
        )
    )
    return len(requested)


def start_checkout(*, payment: Payment, return_url: str) -> str:
    """The page of the bank where this payment is paid. Asking again, in another tab or after a crash, gives the same.

    Raises:
        ProviderUnavailable: try again.
    """
    if not connection.in_atomic_block:
        connection.close()  # back to the pool: sixteen buyers who wait for a slow bank would keep it from all others
    created = provider().create_charge(
        order_id=payment.order_id,
        amount_cents=payment.amount_cents,
        currency=settings.CURRENCY,
        return_url=return_url,
        idempotency_key=f"order-{payment.order_id}",
    )
    # Before the buyer is sent to the bank: a webhook about a charge without this row is quarantined.
    Charge.objects.bulk_create(
        [Charge(id=created.id, payment=payment, amount_cents=payment.amount_cents)], ignore_conflicts=True
    )
    return created.url


@transaction.atomic
def cancel_payment(*, order_id: UUID) -> bool:
    """The buyer changed their mind; False if the payment had ended already. The caller checks whose it is."""
    settled = arbiter.settle(order_id=order_id, as_="cancelled")
    if settled:
        publish(PaymentCancelled(**settled.facts()))
    return settled is not None


@transaction.atomic
def expire_unpaid_payments(*, limit: int = 500) -> int:
    """Expire up to `limit` payments whose time is over; how many. Any number of sweepers may run at once."""
    settled = arbiter.expire_due(limit=limit)
    publish(*(PaymentExpired(**each.facts()) for each in settled))
    return len(settled)
