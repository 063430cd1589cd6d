"""What logistics tells."""

from __future__ import annotations

from queueing.event import Event


class ShipmentFact(Event):
    order_id: str
    user_id: int
    tracking_number: str


class ShipmentCreated(ShipmentFact):
    """The parcel is packed and with the carrier: the order is on its way."""

    wire = "logistics.ShipmentCreated"
    topic = "orders.events"


class ShipmentDelivered(ShipmentFact):
    wire = "logistics.ShipmentDelivered"
    topic = "orders.events"
