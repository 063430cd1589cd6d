"""The ledger, to read. It is changed by events only: an edit here would be a unit that no order explains."""

from __future__ import annotations

from django.contrib import admin

from inventory.models import LedgerEntry, SaleStock
from queueing.console.records import RecordAdmin


@admin.register(SaleStock)
class SaleStockAdmin(RecordAdmin):
    list_display = ["sale_id", "title", "initial", "added", "sold", "epoch"]
    search_fields = ["title", "=sale_id"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(RecordAdmin):
    list_display = ["id", "kind", "sale_id", "order_id", "user_id", "quantity", "applied_at", "created_at"]
    list_filter = ["kind"]
    search_fields = ["=order_id", "=sale_id", "=user_id"]
    show_full_result_count = False
