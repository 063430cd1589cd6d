"""Writing the stock ledger in batches. Every verb locks the sale's row first, so that two batches can't cross.

A lock on one row per sale serializes a sale's batches, not its orders: a batch of 500 costs one update of that row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from django.db import connection

from inventory.gate_types import Terms
from inventory.models import LedgerEntry, SaleStock

Kind = LedgerEntry.Kind


@dataclass(frozen=True, slots=True)
class Line:
    """One order's units."""

    order_id: str
    sale_id: int
    user_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A return that is new in the ledger."""

    ledger_id: int
    line: Line


def lock_sales(sale_ids: Iterable[int]) -> dict[int, SaleStock]:
    """The stock rows of these sales, locked in the order of their ids until the transaction ends."""
    rows = SaleStock.objects.select_for_update().filter(sale_id__in=set(sale_ids)).order_by("sale_id")
    return {row.sale_id: row for row in rows}


def open_sale(*, sale_id: int, title: str, stock: int) -> LedgerEntry:
    """The sale's first entry, made if it was missing. Scheduling a sale again never changes what it began with."""
    SaleStock.objects.bulk_create([SaleStock(sale_id=sale_id, title=title, initial=stock)], ignore_conflicts=True)
    entry, _ = LedgerEntry.objects.get_or_create(sale_id=sale_id, kind=Kind.OPEN, defaults={"quantity": stock})
    return entry


def note_terms(*, sale_id: int, terms: Terms) -> None:
    """What the shop announced last, for a gate that must be rebuilt."""
    SaleStock.objects.filter(sale_id=sale_id).update(terms=asdict(terms))


def add_units(*, sale_id: int, addition_id: str, quantity: int) -> LedgerEntry | None:
    """The new entry; None if this addition was taken in before."""
    entry, is_new = LedgerEntry.objects.get_or_create(
        addition_id=addition_id, defaults={"sale_id": sale_id, "kind": Kind.ADD, "quantity": quantity}
    )
    if not is_new:
        return None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_salestock SET added = added + %s WHERE sale_id = %s", [quantity, sale_id])
    return entry


def deduct(lines: Sequence[Line], stocks: dict[int, SaleStock]) -> tuple[list[Line], list[Line]]:
    """Take units for these orders of locked sales: (taken now, no unit left).

    When not all fit, the earliest order ids are first, as far as the stock reaches. An order that is in the ledger
    already is in neither list.
    """
    known = set(
        LedgerEntry.objects.filter(order_id__in=[line.order_id for line in lines]).values_list("order_id", flat=True)
    )
    known_ids = {str(order_id) for order_id in known}
    free = {sale_id: row.initial + row.added - row.sold for sale_id, row in stocks.items()}
    taken, left_out = [], []
    for line in sorted(lines, key=lambda line: line.order_id):
        if line.order_id in known_ids:
            continue
        known_ids.add(line.order_id)
        if line.quantity <= free[line.sale_id]:
            free[line.sale_id] -= line.quantity
            taken.append(line)
        else:
            left_out.append(line)
    if taken:
        _write(taken, Kind.DEDUCT)
        _add_sold(taken, sign=1)
    return taken, left_out


def give_back(lines: Sequence[Line]) -> list[Returned]:
    """Enter these returns, each order once, and free what was deducted for them. The sales are locked."""
    returned = _write(lines, Kind.RETURN)
    deducted = {
        str(order_id)
        for order_id in LedgerEntry.objects.filter(
            kind=Kind.DEDUCT, order_id__in=[one.line.order_id for one in returned]
        ).values_list("order_id", flat=True)
    }
    freed = [one.line for one in returned if one.line.order_id in deducted]
    if freed:
        _add_sold(freed, sign=-1)
    return returned


def mark_applied(ledger_ids: Sequence[int]) -> None:
    """The gate holds these movements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_ledgerentry SET applied_at = clock_timestamp() WHERE id = ANY(%s) AND applied_at IS NULL",
            [list(ledger_ids)],
        )


def _write(lines: Sequence[Line], kind: Kind) -> list[Returned]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_ledgerentry (sale_id, order_id, user_id, kind, quantity)"
            " SELECT sale_id, order_id, user_id, %s, quantity"
            " FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[], %s::int[])"
            " AS t (sale_id, order_id, user_id, quantity)"
            " ON CONFLICT (order_id, kind) DO NOTHING"
            " RETURNING id, order_id, sale_id, user_id, quantity",
            [
                kind.value,
                [line.sale_id for line in lines],
                [line.order_id for line in lines],
                [line.user_id for line in lines],
                [line.quantity for line in lines],
            ],
        )
        return [Returned(row[0], Line(str(row[1]), *row[2:])) for row in cursor.fetchall()]


def _add_sold(lines: Sequence[Line], *, sign: int) -> None:
    units: dict[int, int] = {}
    for line in lines:
        units[line.sale_id] = units.get(line.sale_id, 0) + sign * line.quantity
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_salestock s SET sold = sold + t.units"
            " FROM unnest(%s::bigint[], %s::int[]) AS t (sale_id, units) WHERE s.sale_id = t.sale_id",
            [list(units), list(units.values())],
        )
