"""Read-only: what was sent is history, and a second SMS is not made by editing the first."""

from __future__ import annotations

from django.contrib import admin

from notifications.models import Notification, PhoneMessage
from queueing.console.records import RecordAdmin


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    list_display = ["created_at", "kind", "channel", "to", "status", "tries", "order_id", "reason"]
    list_filter = ["status", "kind", "channel"]
    search_fields = ["=order_id", "to"]
    ordering = ["-created_at"]


@admin.register(PhoneMessage)
class PhoneMessageAdmin(RecordAdmin):
    list_display = ["received_at", "channel", "to", "subject", "text"]
    list_filter = ["channel"]
    search_fields = ["to", "text"]
    ordering = ["-id"]
