"""What pages ask about parcels."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from logistics.carrier import JOURNEY
from logistics.models import Shipment


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a parcel's way, as a page draws it."""

    label: str
    reached: bool
    current: bool


def shipment_of(order_id: UUID) -> Shipment | None:
    return Shipment.objects.filter(order_id=order_id).first()


def steps_of(shipment: Shipment) -> list[Step]:
    here = JOURNEY.index(Shipment.Status(shipment.status))
    return [Step(str(step.label), reached=at <= here, current=at == here) for at, step in enumerate(JOURNEY)]
