"""Read-only: what was sent is history, and a second SMS is not made by editing the first."""

from __future__ import annotations

from django.contrib import admin

from notifications.models import Incident, Notification, PhoneMessage
from queueing.console.records import RecordAdmin


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    list_display = ["created_at", "kind", "channel", "to", "status", "tries", "order_id", "reason"]
    list_filter = ["status", "kind", "channel"]
    search_fields = ["=order_id", "to"]
    ordering = ["-created_at"]


@admin.register(Incident)
class IncidentAdmin(RecordAdmin):
    list_display = ["since", "rule", "about", "text", "opened_at", "resolved_at"]
    list_filter = ["rule", "about"]
    ordering = ["-since"]


@admin.register(PhoneMessage)
class PhoneMessageAdmin(RecordAdmin):
    list_display = ["received_at", "channel", "to", "subject", "text"]
    list_filter = ["channel"]
    search_fields = ["to", "text"]
    ordering = ["-id"]
