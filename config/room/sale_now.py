"""Which sale the totals are of: the one that runs, or the last that did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from django.db import DatabaseError
from django.db.models.functions import Now

from config.traffic.keys import KEPT_S
from queueing.console import words
from queueing.console.plain import visible
from queueing.db import away_is_not_failure
from queueing.errors import StoreUnavailable
from shop.models import Sale

AGAIN_AFTER_S = 5.0


class Span(NamedTuple):
    """since_s: the first second that counts. text: what that is."""

    since_s: int
    text: str


class SaleNow:
    """Asks PostgreSQL now and then."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = float("-inf")
        self._found: tuple[int, str] | None = None  # its start, its name

    def read(self, now_s: int) -> Span:
        """now_s: nothing that starts later counts. More than an hour ago nothing is remembered of."""
        if self._clock() - self._asked_at >= AGAIN_AFTER_S:
            self._found = self._ask()
            self._asked_at = self._clock()
        hour_ago_s = -(-(now_s - KEPT_S) // 60) * 60  # a whole minute, so that it moves only once in one
        if self._found is None or self._found[0] > now_s:
            return Span(hour_ago_s, "of the last hour")
        starts_s, name = self._found
        if starts_s < hour_ago_s:
            return Span(hour_ago_s, f"of the last hour; {name} began before")
        return Span(starts_s, f"since {name} began, {words.span(now_s - starts_s)} ago")

    def _ask(self) -> tuple[int, str] | None:
        try:
            with away_is_not_failure():
                sale = (
                    Sale.objects.filter(starts_at__lte=Now()).select_related("product").order_by("-starts_at").first()
                )
        except (StoreUnavailable, DatabaseError):
            return self._found
        return None if sale is None else (int(sale.starts_at.timestamp()), visible(sale.product.title))
