"""What a sale's gate and its queue say they hold, in one instant: their own counters, nothing is scanned.

The gate counts what it admits and takes back in the scripts that do so, the queue in those that append and settle; all
keys of a sale share a hash tag, so MULTI reads them together. `manage.py audit` recounts them from the entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory import keys, link
from inventory.gate import state_from
from inventory.gate_types import GateState
from queueing import keys as queue_keys


@dataclass(frozen=True, slots=True)
class Counts:
    """stock: units left. initial: ever given. units, orders: ever admitted. returned: units that came back.

    held: orders that were admitted and have still to be worked off, wherever the queue has them: undelivered, in
    consumers' hands, waiting for their next attempt, parked, dead.
    """

    stock: int
    initial: int
    units: int
    orders: int
    returned: int
    held: int

    @property
    def settled(self) -> int:
        """Orders that the queue says are worked off: each has a row by then."""
        return self.orders - self.held


def read_counts(sale_id: int) -> tuple[GateState | None, Counts | None]:
    """The gate, and its counts at the same instant; no counts of a gate that was opened before it kept them.

    Raises:
        GateUnavailable: Redis is away.
    """
    where = (keys.TOPIC, str(sale_id), keys.GATE_GROUP)
    with link.gate_errors(), link.client().pipeline(transaction=True) as pipe:
        pipe.time()
        pipe.hgetall(keys.gate(sale_id))
        pipe.hget(keys.meta(sale_id), "appended")
        pipe.hmget(keys.counters(sale_id), "acked", "skipped")
        pipe.zcard(queue_keys.retry(*where))
        pipe.hlen(queue_keys.holders(*where))
        pipe.zcard(queue_keys.parked(*where))
        pipe.zcard(queue_keys.dead(*where))
        pipe.hlen(queue_keys.leaving(*where))
        clock, fields, appended, passed, *aside = pipe.execute()
    state = state_from(clock, fields, passed)
    if state is None or b"units" not in fields:
        return state, None
    counts = Counts(
        stock=state.stock,
        initial=state.initial,
        units=int(fields[b"units"]),
        orders=state.seq + int(fields[b"before"]),
        returned=int(fields[b"returned"]),
        held=int(appended or 0) - sum(int(value or 0) for value in passed) + sum(aside),
    )
    return state, counts
