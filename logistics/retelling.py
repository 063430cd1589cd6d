"""What logistics told and was lost with Redis's data, told again from its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from logistics.events import ShipmentCreated, ShipmentDelivered
from logistics.models import Shipment
from queueing.event import Event
from queueing.outbox import publish


@transaction.atomic
def retell_shipments(*, order_ids: Iterable[UUID]) -> set[UUID]:
    """Tell again that these orders were packed, and, if so, arrived. Returns those that have a parcel."""
    shipments = list(Shipment.objects.filter(order_id__in=list(order_ids)).order_by("order_id"))
    publish(*(event for shipment in shipments for event in _told(shipment)))
    return {shipment.order_id for shipment in shipments}


def _told(shipment: Shipment) -> list[Event]:
    facts: dict[str, Any] = {
        "order_id": str(shipment.order_id),
        "user_id": shipment.user_id,
        "tracking_number": shipment.tracking_number,
    }
    arrived = shipment.status == Shipment.Status.DELIVERED
    return [ShipmentCreated(**facts), ShipmentDelivered(**facts)] if arrived else [ShipmentCreated(**facts)]
