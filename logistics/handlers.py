"""What logistics listens to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from logistics.services import PaidOrder, create_shipments
from orders.events import OrderPaid
from queueing.subscription import DATABASE_RATE, Subscription


def pack_parcels(events: Sequence[OrderPaid]) -> None:
    """A paid order is packed and handed to the carrier."""
    create_shipments(orders=[PaidOrder(UUID(event.order_id), event.user_id) for event in events])


SUBSCRIPTION = Subscription(group="logistics", rate=DATABASE_RATE, handlers={OrderPaid: pack_parcels})
