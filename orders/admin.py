"""Orders, to read. An order moves by events only; an edit here would be a step that its history does not have."""

from __future__ import annotations

from django.contrib import admin

from orders.models import Offer, Order, Transition
from queueing.console.records import RecordAdmin


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = ["id", "status", "sale_id", "user_id", "quantity", "total_cents", "placed_at", "updated_at"]
    list_filter = ["status"]
    search_fields = ["=id", "=user_id", "=sale_id", "tracking_number"]
    show_full_result_count = False


@admin.register(Transition)
class TransitionAdmin(RecordAdmin):
    list_display = ["id", "order_id", "from_status", "to_status", "cause", "at"]
    list_filter = ["to_status"]
    search_fields = ["=order_id"]
    show_full_result_count = False


@admin.register(Offer)
class OfferAdmin(RecordAdmin):
    list_display = ["sale_id", "title", "price_cents"]
    search_fields = ["title"]
