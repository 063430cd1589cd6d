"""The operator looks and changes nothing: money moves by services only."""

from __future__ import annotations

from django.contrib import admin

from payments.models import Charge, DemoCharge, DemoWebhook, Payment, Refund, WebhookEvent
from queueing.console.records import RecordAdmin


@admin.register(Payment)
class PaymentAdmin(RecordAdmin):
    list_display = ("order_id", "status", "amount_cents", "sale_id", "user_id", "due_at", "declines", "settled_at")
    list_filter = ("status",)
    search_fields = ("order_id", "user_id", "sale_id")


@admin.register(Charge)
class ChargeAdmin(RecordAdmin):
    list_display = ("id", "payment_id", "amount_cents", "created_at", "captured_at")
    search_fields = ("id", "payment__order_id")


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = ("id", "order_id", "status", "amount_cents", "reason", "created_at", "settled_at")
    list_filter = ("status", "reason")
    search_fields = ("order_id", "charge__id")


@admin.register(WebhookEvent)
class WebhookEventAdmin(RecordAdmin):
    list_display = ("event_id", "kind", "outcome", "note", "charge_id", "received_at")
    list_filter = ("outcome", "kind")
    search_fields = ("event_id", "charge_id")


@admin.register(DemoCharge)
class DemoChargeAdmin(RecordAdmin):
    list_display = ("id", "reference", "amount_cents", "status", "created_at", "paid_at")
    list_filter = ("status",)
    search_fields = ("id", "reference")


@admin.register(DemoWebhook)
class DemoWebhookAdmin(RecordAdmin):
    list_display = ("event_id", "charge_id", "attempts", "next_try_at", "delivered_at", "last_error")
    search_fields = ("event_id", "charge__id")
