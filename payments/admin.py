"""The operator looks and changes nothing: money moves by services only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from payments.models import Charge, DemoCharge, DemoWebhook, Payment, Refund, WebhookEvent


class ReadOnly(ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ("order_id", "status", "amount_cents", "sale_id", "user_id", "due_at", "declines", "settled_at")
    list_filter = ("status",)
    search_fields = ("order_id", "user_id", "sale_id")


@admin.register(Charge)
class ChargeAdmin(ReadOnly):
    list_display = ("id", "payment_id", "amount_cents", "created_at", "captured_at")
    search_fields = ("id", "payment__order_id")


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    list_display = ("id", "order_id", "status", "amount_cents", "reason", "created_at", "settled_at")
    list_filter = ("status", "reason")
    search_fields = ("order_id", "charge__id")


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly):
    list_display = ("event_id", "kind", "outcome", "note", "charge_id", "received_at")
    list_filter = ("outcome", "kind")
    search_fields = ("event_id", "charge_id")


@admin.register(DemoCharge)
class DemoChargeAdmin(ReadOnly):
    list_display = ("id", "reference", "amount_cents", "status", "created_at", "paid_at")
    list_filter = ("status",)
    search_fields = ("id", "reference")


@admin.register(DemoWebhook)
class DemoWebhookAdmin(ReadOnly):
    list_display = ("event_id", "charge_id", "attempts", "next_try_at", "delivered_at", "last_error")
    search_fields = ("event_id", "charge__id")
