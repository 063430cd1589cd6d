"""Parcels, the carrier's clock, and what was told."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import uuid_utils.compat as uuid
from django.db import connection

from logistics.models import Shipment
from logistics.services import PaidOrder, create_shipments
from queueing.models import OutboxMessage

ADA = 1


def a_shipment(status: str = "packed", *, due: bool = True) -> Shipment:
    order_id = uuid.uuid7()
    create_shipments(orders=[PaidOrder(order_id, ADA)])
    Shipment.objects.filter(order_id=order_id).update(status=status)
    if due:
        make_due()
    return Shipment.objects.get(order_id=order_id)


def make_due() -> None:
    """Let the carrier's time pass, for every parcel on its way."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE logistics_shipment SET next_step_at = statement_timestamp() WHERE status <> 'delivered'")


def told(order_id: UUID | None = None) -> Counter[str]:
    rows = OutboxMessage.objects.all()
    if order_id is not None:
        rows = rows.filter(key=str(order_id))
    return Counter(row.name.removeprefix("logistics.") for row in rows)
