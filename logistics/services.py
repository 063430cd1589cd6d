"""Parcels are packed once per paid order and arrive once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from logistics.carrier import JOURNEY, Parcel, carrier
from logistics.events import ShipmentCreated, ShipmentDelivered
from logistics.models import Shipment
from queueing.outbox import publish


class PaidOrder(NamedTuple):
    order_id: UUID
    user_id: int


# Only the order id may conflict quietly. A tracking number given twice raises: the batch comes again with new ones.
_PACK = """
    INSERT INTO logistics_shipment
           (order_id, user_id, tracking_number, status, created_at, moved_at, next_step_at)
    SELECT order_id, user_id, tracking_number, 'packed', statement_timestamp(), statement_timestamp(),
           statement_timestamp() + make_interval(secs => %s)
    FROM unnest(%s::uuid[], %s::bigint[], %s::text[]) AS parcel (order_id, user_id, tracking_number)
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id, user_id, tracking_number
"""
_DUE = """
    SELECT tracking_number, status FROM logistics_shipment
    WHERE status <> 'delivered' AND next_step_at <= statement_timestamp()
    ORDER BY next_step_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_ASK_AGAIN = """
    UPDATE logistics_shipment SET next_step_at = statement_timestamp() + make_interval(secs => %s)
    WHERE tracking_number = ANY(%s)
"""
_MOVE = """
    UPDATE logistics_shipment AS shipment
    SET status = seen.status, moved_at = statement_timestamp(),
        next_step_at = CASE WHEN seen.status = 'delivered' THEN NULL ELSE shipment.next_step_at END
    FROM unnest(%s::text[], %s::text[]) AS seen (tracking_number, status)
    WHERE shipment.tracking_number = seen.tracking_number
    RETURNING shipment.order_id, shipment.user_id, shipment.tracking_number, shipment.status
"""


@transaction.atomic
def create_shipments(*, orders: Sequence[PaidOrder]) -> int:
    """Pack a parcel for each of these orders that has none yet; how many were packed."""
    columns = list(zip(*sorted(orders), strict=True))
    if not columns:
        return 0
    labels = carrier().labels(len(orders))
    with connection.cursor() as cursor:
        cursor.execute(_PACK, [settings.CARRIER_STEP_S, *map(list, columns), list(labels)])
        packed = cursor.fetchall()
    publish(
        *(
            ShipmentCreated(order_id=str(order_id), user_id=user_id, tracking_number=tracking_number)
            for order_id, user_id, tracking_number in packed
        )
    )
    return len(packed)


@transaction.atomic
def advance_shipments(*, limit: int = 500) -> int:
    """Ask the carrier about up to `limit` parcels that are due, and record what it says; how many were asked about.

    The rows stay locked from the question to the record, and other sweepers skip them, so each arrival is seen once.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [limit])
        parcels = [Parcel(*row) for row in cursor.fetchall()]
        if not parcels:
            return 0
        seen = carrier().whereabouts(parcels)
        cursor.execute(_ASK_AGAIN, [settings.CARRIER_STEP_S, [parcel.tracking_number for parcel in parcels]])
        moved = {
            parcel.tracking_number: seen[parcel.tracking_number]
            for parcel in parcels
            if parcel.tracking_number in seen and _is_further(seen[parcel.tracking_number], parcel.status)
        }
        cursor.execute(_MOVE, [list(moved), list(moved.values())])
        rows = cursor.fetchall()
    publish(
        *(
            ShipmentDelivered(order_id=str(order_id), user_id=user_id, tracking_number=tracking_number)
            for order_id, user_id, tracking_number, status in rows
            if status == Shipment.Status.DELIVERED
        )
    )
    return len(parcels)


def _is_further(told: str, known: str) -> bool:
    return JOURNEY.index(Shipment.Status(told)) > JOURNEY.index(Shipment.Status(known))
