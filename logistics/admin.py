"""The operator looks; parcels are moved by their carrier."""

from __future__ import annotations

from django.contrib import admin

from logistics.models import Shipment
from queueing.console.records import RecordAdmin


@admin.register(Shipment)
class ShipmentAdmin(RecordAdmin):
    list_display = ("tracking_number", "status", "order_id", "user_id", "created_at", "moved_at", "next_step_at")
    list_filter = ("status",)
    search_fields = ("tracking_number", "order_id", "user_id")
