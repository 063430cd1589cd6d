"""What the ledger told and was lost with Redis's data, told again from its entries."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from inventory.events import SaleStockAdded, StockDeducted, StockReturned
from inventory.models import LedgerEntry
from queueing.outbox import publish

Kind = LedgerEntry.Kind


@transaction.atomic
def retell_deductions(*, order_ids: Iterable[UUID]) -> set[UUID]:
    """Tell again that these orders have their units. Returns those that do; nothing is known of the others."""
    entries = list(LedgerEntry.objects.filter(kind=Kind.DEDUCT, order_id__in=list(order_ids)).order_by("id"))
    publish(
        *(
            StockDeducted(order_id=str(entry.order_id), sale_id=entry.sale_id, quantity=entry.quantity)
            for entry in entries
        )
    )
    return {entry.order_id for entry in entries if entry.order_id is not None}


def returned(*, order_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these orders whose units the ledger took back."""
    return {
        order_id
        for order_id in LedgerEntry.objects.filter(kind=Kind.RETURN, order_id__in=list(order_ids)).values_list(
            "order_id", flat=True
        )
        if order_id is not None
    }


@transaction.atomic
def retell_movements() -> int:
    """Tell again every return and addition that no gate is known to hold. Returns how many."""
    entries = list(LedgerEntry.objects.filter(kind__in=[Kind.ADD, Kind.RETURN], applied_at=None).order_by("id"))
    publish(*(_told(entry) for entry in entries))
    return len(entries)


def _told(entry: LedgerEntry) -> StockReturned | SaleStockAdded:
    if entry.kind == Kind.ADD:
        return SaleStockAdded(sale_id=entry.sale_id, quantity=entry.quantity, ledger_id=entry.id)
    return StockReturned(
        order_id=str(entry.order_id),
        sale_id=entry.sale_id,
        user_id=entry.user_id or 0,
        quantity=entry.quantity,
        ledger_id=entry.id,
    )
