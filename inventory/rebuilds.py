"""Which gates are being rebuilt, as PostgreSQL remembers it: whoever dies half-way is followed by somebody who goes on.

What is found lost is written down before anything is repaired, and struck out only when it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.db import transaction
from django.db.models import Count, F
from django.db.models.functions import Now

from inventory.models import LedgerEntry, Rebuild, SaleStock, Store

Kind = LedgerEntry.Kind


def opened_sales() -> dict[int, SaleStock]:
    """Every sale whose gate was opened, whatever has become of it."""
    opened = LedgerEntry.objects.filter(kind=Kind.OPEN, applied_at__isnull=False).values("sale_id")
    return {row.sale_id: row for row in SaleStock.objects.filter(sale_id__in=opened).order_by("-sale_id")}


def applied_counts() -> dict[int, int]:
    """Sale → how many movements its gate certainly holds."""
    rows = LedgerEntry.objects.filter(kind__in=[Kind.ADD, Kind.RETURN], applied_at__isnull=False)
    return dict(rows.values_list("sale_id").annotate(n=Count("id")))


@transaction.atomic
def declare_lost(*, reasons: Mapping[int, str]) -> list[int]:
    """These gates lost data: each begins a new epoch, once, however often this is called. Returns those newly declared.

    reasons: sale → what was seen.
    """
    _store()
    declared = []
    for row in SaleStock.objects.select_for_update().filter(sale_id__in=list(reasons)).order_by("sale_id"):
        if Rebuild.objects.filter(sale_id=row.sale_id, opened_at=None).exists():
            continue
        SaleStock.objects.filter(sale_id=row.sale_id).update(epoch=F("epoch") + 1)
        Rebuild.objects.create(sale_id=row.sale_id, epoch=row.epoch + 1, reason=reasons[row.sale_id][:200])
        declared.append(row.sale_id)
    Store.objects.update(lost_at=Now())
    return declared


@transaction.atomic
def begin_opening(*, rebuild: Rebuild, stock: int) -> None:
    """The gate may be open from now on, whatever becomes of us."""
    Rebuild.objects.filter(id=rebuild.id, opened_at=None).update(stock=stock)


@transaction.atomic
def supersede(*, rebuild: Rebuild) -> None:
    """The gate was perhaps open in this epoch and is gone again: begin the next one instead."""
    if Rebuild.objects.filter(id=rebuild.id, opened_at=None).update(opened_at=Now()):
        SaleStock.objects.filter(sale_id=rebuild.sale_id).update(epoch=rebuild.epoch + 1)
        Rebuild.objects.create(sale_id=rebuild.sale_id, epoch=rebuild.epoch + 1, reason="lost again while it opened")


def unfinished() -> list[Rebuild]:
    return list(Rebuild.objects.filter(opened_at=None).order_by("sale_id"))


def movements(*, sale_id: int) -> Sequence[LedgerEntry]:
    """Every return and addition in the sale's ledger."""
    return list(LedgerEntry.objects.filter(sale_id=sale_id, kind__in=[Kind.ADD, Kind.RETURN]).order_by("id"))


@transaction.atomic
def finish(*, rebuild: Rebuild, included: Collection[int]) -> None:
    """The gate is open again, and holds these movements."""
    LedgerEntry.objects.filter(id__in=included, applied_at=None).update(applied_at=Now())
    Rebuild.objects.filter(id=rebuild.id, opened_at=None).update(opened_at=Now())


def store() -> Store | None:
    return Store.objects.first()


def approve(*, run_id: str) -> None:
    """This life of Redis has been looked at, and what was lost is made good. In the transaction that does so."""
    _store()
    Store.objects.update(run_id=run_id, approved_at=Now(), lost_at=None)


def _store() -> None:
    Store.objects.bulk_create([Store(run_id="")], ignore_conflicts=True)
