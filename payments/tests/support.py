"""Ada's orders, the bank's calls, and what was told."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import uuid_utils.compat as uuid
from django.db import connection
from django.db.models import Sum
from django.test import Client

from payments.models import Charge, Payment, Refund
from payments.services import Demand, request_payments, start_checkout
from payments.signing import sign, webhook_secret
from queueing.models import OutboxMessage

ADA, BOB = 1, 2
PRICE = 4_900
SCALE = float(os.environ.get("DRILL_SCALE", "1"))
WEBHOOK = "/payments/webhook"


def a_payment(*, user_id: int = ADA, amount_cents: int = PRICE, due_in_s: float | None = None) -> Payment:
    order_id = uuid.uuid7()
    request_payments(demands=[Demand(order_id, 7, user_id, amount_cents)])
    if due_in_s is not None:
        make_due(order_id, in_s=due_in_s)
    return Payment.objects.get(order_id=order_id)


def make_due(order_id: UUID, *, in_s: float) -> float:
    """Move the deadline by PostgreSQL's clock; the moment in seconds since 1970."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_payment SET due_at = clock_timestamp() + make_interval(secs => %s)"
            " WHERE order_id = %s RETURNING extract(epoch FROM due_at)",
            [in_s, order_id],
        )
        return float(cursor.fetchone()[0])


def a_charge(payment: Payment) -> Charge:
    start_checkout(payment=payment, return_url=f"http://testserver/orders/{payment.order_id}")
    return Charge.objects.get(payment=payment)


def notice(charge: Charge, *, kind: str = "charge.captured", **changes: Any) -> bytes:
    body = {
        "type": kind,
        "charge_id": charge.id,
        "order_id": str(charge.payment_id),
        "amount_cents": charge.amount_cents,
        "currency": "EUR",
    }
    return json.dumps(body | changes).encode()


def headers(body: bytes, *, event_id: str = "", at: float | None = None, secret: bytes | None = None) -> dict[str, str]:
    event_id = event_id or f"evt_{uuid4().hex}"
    timestamp = int(time.time() if at is None else at)
    signature = sign(event_id=event_id, timestamp=timestamp, body=body, secret=secret or webhook_secret())
    return {"Webhook-Id": event_id, "Webhook-Timestamp": str(timestamp), "Webhook-Signature": signature}


def post(body: bytes, given: dict[str, str] | None = None) -> Any:
    """One webhook call, as the bank makes it; a client that insists on CSRF, as a browser's would be."""
    given = headers(body) if given is None else given
    client = Client(enforce_csrf_checks=True)
    return client.post(WEBHOOK, body, content_type="application/json", headers=given)


def told(order_id: UUID | None = None) -> Counter[str]:
    """How often each event was written to the outbox."""
    rows = OutboxMessage.objects.all()
    if order_id is not None:
        rows = rows.filter(key=str(order_id))
    return Counter(row.name.removeprefix("payments.") for row in rows)


def money_is_right() -> bool:
    """Rule 9: captured - refunded = paid orders."""

    def total(rows: Any) -> int:
        return int(rows.aggregate(sum=Sum("amount_cents"))["sum"] or 0)

    captured = total(Charge.objects.filter(captured_at__isnull=False))
    return captured - total(Refund.objects) == total(Payment.objects.filter(status="paid"))
