"""Read-only: what was sent is history, and a second SMS is not made by editing the first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from notifications.models import Notification, PhoneMessage


class ReadOnlyAdmin(ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "channel", "to", "status", "tries", "order_id", "reason"]
    list_filter = ["status", "kind", "channel"]
    search_fields = ["=order_id", "to"]
    ordering = ["-created_at"]


@admin.register(PhoneMessage)
class PhoneMessageAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "channel", "to", "subject", "text"]
    list_filter = ["channel"]
    search_fields = ["to", "text"]
    ordering = ["-id"]
