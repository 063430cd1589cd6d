"""Admitted, and lost with Redis's data before there was a row: the order is void, for good.

A gate that lost its data begins a new epoch. From then on no order of an earlier one gets a row, whoever still holds
its message in his hands; except those that are safe in the group's retry set or dead letters, which are spared.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from django.db import connection, transaction

from orders.events import OrderPlaced
from orders.models import Order, Void
from orders.tokens import Receipt

_LOCK_CLASS = 0x51C7  # advisory locks: (class, sale)
# Sorted, so that two consumers wait for each other in one direction. Held until the rows are committed.
_SHARE = "SELECT pg_advisory_xact_lock_shared(%s, sale) FROM unnest(%s::int[]) AS sale"


@transaction.atomic
def void_before(*, sale_id: int, epoch: int, spared: Collection[str]) -> None:
    """No order of an epoch before this one gets a row any more, except the spared.

    Consumers that are writing rows are waited for: what this call does not see in the table will never be there.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, _as_int(sale_id)])
        cursor.execute(
            "INSERT INTO orders_void AS known (sale_id, before_epoch, spared) VALUES (%s, %s, %s::jsonb)"
            " ON CONFLICT (sale_id) DO UPDATE SET before_epoch = excluded.before_epoch, spared = excluded.spared"
            " WHERE known.before_epoch <= excluded.before_epoch",
            [sale_id, epoch, json.dumps(sorted(spared))],
        )


def still_placed(events: Sequence[OrderPlaced]) -> list[OrderPlaced]:
    """Those of these admissions that are not void. Call it in the transaction that writes their rows."""
    sales = sorted({event.sale_id for event in events})
    with connection.cursor() as cursor:
        cursor.execute(_SHARE, [_LOCK_CLASS, [_as_int(sale_id) for sale_id in sales]])
    lines = _lines(sales)
    return [event for event in events if not _is_behind(lines, event.sale_id, event.epoch, event.order_id)]


def is_void(receipt: Receipt) -> bool:
    """Whether this order, which had no row a moment ago, will never have one."""
    lines = _lines([receipt.sale_id])
    behind = _is_behind(lines, receipt.sale_id, receipt.epoch, str(receipt.order_id))
    # It may have got its row between the two looks; after the line was drawn it could not.
    return behind and not Order.objects.filter(id=receipt.order_id).exists()


def _lines(sale_ids: Iterable[int]) -> dict[int, Void]:
    return {line.sale_id: line for line in Void.objects.filter(sale_id__in=sale_ids)}


def _is_behind(lines: dict[int, Void], sale_id: int, epoch: int, order_id: str) -> bool:
    line = lines.get(sale_id)
    return line is not None and epoch < line.before_epoch and order_id not in line.spared


def _as_int(sale_id: int) -> int:
    return sale_id % 2**31  # two sales that share a lock only wait for each other
