"""The life of an order as data. docs/orders.md draws it, and a test holds the two together."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models


class Status(models.TextChoices):
    """What an order's row may say. An admitted order without a row yet is shown as QUEUED, which no row ever says."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


QUEUED = "queued"
VOID = "void"  # admitted, but Redis lost its data before the order had a row: not placed, nothing charged
BIRTH = ""

ALLOWED: dict[str, frozenset[str]] = {
    BIRTH: frozenset({Status.CREATED}),
    Status.CREATED: frozenset({Status.CONFIRMED, Status.REJECTED}),
    Status.CONFIRMED: frozenset({Status.PAID, Status.EXPIRED, Status.CANCELLED}),
    Status.PAID: frozenset({Status.SHIPPED}),
    Status.SHIPPED: frozenset({Status.DELIVERED}),
    Status.REJECTED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.DELIVERED: frozenset(),
}
# Ended without being paid: their units are free again.
GAVE_BACK = frozenset({Status.REJECTED, Status.EXPIRED, Status.CANCELLED})
TERMINAL = frozenset(status for status, nexts in ALLOWED.items() if not nexts)


def sources(to: str) -> list[str]:
    """Every status from which one step leads to `to`."""
    return sorted(status for status, nexts in ALLOWED.items() if to in nexts)


def can_still_reach(status: str, targets: Collection[str]) -> bool:
    """Whether a path of one step or more leads from `status` to one of `targets`."""
    seen: set[str] = set()
    ahead = [status]
    while ahead:
        for step in ALLOWED[ahead.pop()] - seen:
            if step in targets:
                return True
            seen.add(step)
            ahead.append(step)
    return False


def is_path(statuses: list[str]) -> bool:
    """Whether an order may have gone exactly this way, from its birth."""
    return all(to in ALLOWED[frm] for frm, to in zip([BIRTH, *statuses], statuses, strict=False))
