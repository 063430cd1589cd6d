"""What other apps' pages show about parcels: {% load logistics_widgets %}{% tracking order_id %}."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import template

from logistics.selectors import shipment_of, steps_of

register = template.Library()


@register.inclusion_tag("logistics/tracking.html")
def tracking(order_id: UUID | str) -> dict[str, Any]:
    """Where the parcel is; empty before there is one. The page that loads this has checked whose order it is."""
    shipment = shipment_of(UUID(str(order_id)))
    return {"shipment": shipment, "steps": steps_of(shipment) if shipment else []}
