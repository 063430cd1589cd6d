"""Parcels."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Shipment(models.Model):
    """One parcel per paid order. `next_step_at`: when to ask the carrier again; NULL once it has arrived."""

    class Status(models.TextChoices):
        PACKED = "packed", "Packed"
        IN_TRANSIT = "in_transit", "On its way"
        OUT_FOR_DELIVERY = "out_for_delivery", "Out for delivery"
        DELIVERED = "delivered", "Delivered"

    order_id = models.UUIDField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    tracking_number = models.CharField(max_length=24, unique=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PACKED)
    next_step_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="shipment_status",
                condition=Q(status__in=["packed", "in_transit", "out_for_delivery", "delivered"]),
            ),
            models.CheckConstraint(
                name="shipment_rests_when_delivered",
                condition=Q(status="delivered", next_step_at__isnull=True)
                | (~Q(status="delivered") & Q(next_step_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(name="shipment_due", fields=["next_step_at"], condition=~Q(status="delivered"))]

    def __str__(self) -> str:
        return f"{self.tracking_number} {self.status}"
