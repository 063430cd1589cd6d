"""Conservation of a sale's stock, live: every unit that was given is in exactly one place.

    initial + added = remaining + in flight + sold + coming back + coming in

It is DESIGN §5's second rule from counters (inventory/counts.py) and sums of rows, at the price of two round trips to
Redis and two statements, so that it can be looked at every second. `manage.py audit` is the proof: it recounts from
the entries themselves.

Redis is read first, then PostgreSQL, then Redis again. Whatever the queue had settled at the first reading has its row,
and each row was admitted before the second, so that what is on its way raises no alarm however fast it comes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from inventory import selectors as stock
from inventory.counts import Counts, read_counts
from inventory.gate_types import GateState
from inventory.selectors import Ledger
from orders.sold import Sold, sold_of


@dataclass(frozen=True, slots=True)
class Books:
    """Where a sale's units are, all at about one instant. In units, but for `unfound` and `unasked`, which are orders.

    remaining: in the gate. in_flight: admitted, without a row yet. sold: of orders that live. coming_back: of orders
    that ended, not in the gate again yet. coming_in: added to the ledger, not in the gate yet.
    """

    initial: int
    added: int
    remaining: int
    in_flight: int
    sold: int
    coming_back: int
    coming_in: int
    unfound: int  # orders that the queue has worked off or forgotten, and that have no row
    unasked: int  # rows that the gate never admitted
    overdone: int  # units that came to the gate, of no order that ended and no addition

    @property
    def given(self) -> int:
        return self.initial + self.added

    @property
    def missing(self) -> int:
        """Units that are in no place; below 0: that are in two."""
        return self.given - (self.remaining + self.in_flight + self.sold + self.coming_back + self.coming_in)

    @property
    def difference(self) -> int:
        """By how much the books don't balance, 0 when all is well. An order counts as one unit here."""
        return abs(self.missing) + self.unfound + self.unasked + self.overdone


@dataclass(frozen=True, slots=True)
class Look:
    """gate: None when there is none. books: None when it, or the ledger, has kept no count."""

    gate: GateState | None
    books: Books | None


def look(sale_ids: Collection[int]) -> dict[int, Look]:
    """
    Raises:
        GateUnavailable: Redis is away.
        django.db.Error: PostgreSQL is.
    """
    before = {sale_id: read_counts(sale_id)[1] for sale_id in sale_ids}
    sold, ledgers = sold_of(sale_ids), stock.ledgers_of(sale_ids)
    found = {}
    for sale_id in sale_ids:
        gate, after = read_counts(sale_id)
        then, ledger = before[sale_id], ledgers.get(sale_id)
        books = balance(then, ledger, sold[sale_id], after) if then and ledger and after else None
        found[sale_id] = Look(gate, books)
    return found


def balance(then: Counts, ledger: Ledger, sold: Sold, now: Counts) -> Books:
    """then: the gate before PostgreSQL was read; now: after it."""
    return Books(
        initial=ledger.initial,
        added=ledger.added,
        remaining=now.stock,
        in_flight=now.units - sold.units,
        sold=sold.live,
        coming_back=sold.ended - now.returned,
        coming_in=ledger.initial + ledger.added - now.initial,
        unfound=max(0, then.settled - sold.orders),
        unasked=max(0, sold.orders - now.orders),
        overdone=max(0, then.returned - sold.ended) + max(0, then.initial - ledger.initial - ledger.added),
    )
