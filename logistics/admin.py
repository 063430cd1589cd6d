"""The operator looks; parcels are moved by their carrier."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from logistics.models import Shipment


@admin.register(Shipment)
class ShipmentAdmin(ModelAdmin):
    list_display = ("tracking_number", "status", "order_id", "user_id", "created_at", "moved_at", "next_step_at")
    list_filter = ("status",)
    search_fields = ("tracking_number", "order_id", "user_id")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
