"""The ledger, to read. It is changed by events only: an edit here would be a unit that no order explains."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from inventory.models import LedgerEntry, SaleStock


class ReadOnly(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(SaleStock)
class SaleStockAdmin(ReadOnly):
    list_display = ["sale_id", "title", "initial", "added", "sold", "epoch"]
    search_fields = ["title", "=sale_id"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    list_display = ["id", "kind", "sale_id", "order_id", "user_id", "quantity", "applied_at", "created_at"]
    list_filter = ["kind"]
    search_fields = ["=order_id", "=sale_id", "=user_id"]
    show_full_result_count = False
