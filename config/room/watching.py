"""Sales as this process watches them: each looked at once a second at most, however many pages ask, and less often the
more a look costs, so that watching takes under two hundredths of a core."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from django.db import Error as DatabaseError

from config.room import books
from config.room.books import Look
from config.room.patience import Patience
from inventory.gate import GateUnavailable
from inventory.room import Line
from inventory.selectors import line_of
from shop.models import Sale

LOOK_EVERY_S = 1.0
COSTS_AT_MOST = 1 / 50
MOST_WATCHED = 256  # sales in this process; those that were asked for first are forgotten


@dataclass(frozen=True, slots=True)
class Sight:
    """A sale at one moment.

    sale: as the shop told it last. untold: units the shop added that the ledger has not heard of. look, line: None
    while Redis or PostgreSQL is away, and `silent` says which. lasted_s: how long the books have not balanced.
    """

    sale: Sale | None = None
    untold: int = 0
    look: Look | None = None
    line: Line | None = None
    lasted_s: float = 0.0
    silent: str = ""


class Watch:
    def __init__(self, sale_id: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sale_id, self._clock = sale_id, clock
        self._patience = Patience(clock=clock)
        self._lock = threading.Lock()
        self._last = Sight()
        self._again_at = 0.0

    def sight(self, *, now: bool = False) -> Sight:
        """At most as old as a look may be; now: of this moment."""
        with self._lock:
            began = self._clock()
            if now or began >= self._again_at:
                self._last = self._look()
                took = self._clock() - began
                self._again_at = began + max(LOOK_EVERY_S, took / COSTS_AT_MOST)
            return self._last

    def _look(self) -> Sight:
        try:
            sale = Sale.objects.select_related("product").filter(pk=self._sale_id).first()
            added = sum(one.quantity for one in sale.additions.all()) if sale else 0
        except DatabaseError:
            return Sight(silent="PostgreSQL does not answer.")
        try:
            found = books.look([self._sale_id])[self._sale_id]
            line = line_of(self._sale_id, found.gate) if found.gate else None
        except GateUnavailable:
            return Sight(sale, silent="Redis does not answer.")
        except DatabaseError:
            return Sight(sale, silent="PostgreSQL does not answer.")
        lasted_s = self._patience.lasted_s(found.books.difference if found.books else 0)
        untold = max(0, added - found.books.added) if found.books else 0
        return Sight(sale, untold, found, line, lasted_s)


@lru_cache(maxsize=MOST_WATCHED)
def watch(sale_id: int) -> Watch:
    return Watch(sale_id)
