"""What the shop reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shop.models import Sale

# The front page keeps what ended recently; the rest is history that nobody scrolls through.
PAST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Shelves:
    """The front page's three shelves, judged by one instant."""

    running: list[Sale]
    upcoming: list[Sale]
    past: list[Sale]


def shelves(*, now: datetime) -> Shelves:
    """Running sales that end first come first, upcoming that start first, past that ended last."""
    sales = Sale.objects.filter(published=True).select_related("product")
    return Shelves(
        running=list(sales.filter(starts_at__lte=now, ends_at__gt=now).order_by("ends_at", "id")),
        upcoming=list(sales.filter(starts_at__gt=now).order_by("starts_at", "id")),
        past=list(sales.filter(ends_at__lte=now).order_by("-ends_at", "-id")[:PAST_SHOWN]),
    )


def sales_of_the_day(*, now: datetime) -> list[int]:
    """Numbers of those that have begun and did not end more than a day ago, the latest first; at most fifty."""
    begun = Sale.objects.filter(starts_at__lte=now, ends_at__gt=now - timedelta(days=1))
    return list(begun.order_by("-starts_at", "-id").values_list("pk", flat=True)[:50])


def sale_by_id(*, sale_id: int) -> Sale | None:
    return Sale.objects.select_related("product").filter(pk=sale_id).first()
