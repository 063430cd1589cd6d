"""What pages and the public JSON show of a sale's stock, read from the gate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from inventory import gate, room
from inventory.gate import GateState
from inventory.models import SaleStock
from inventory.room import Line

# Shoppers poll; the server says how often. 100,000 of them every two seconds are what the micro-cache takes.
POLL_OPEN_MS, POLL_WAITING_MS, POLL_OVER_MS = 2_000, 10_000, 30_000
# However many stand in a line, they ask no more often than this together.
POLLS_PER_S = 2_000


def is_known(sale_id: int) -> bool:
    """Whether the ledger knows this sale."""
    return SaleStock.objects.filter(sale_id=sale_id).exists()


def gate_of(sale_id: int) -> GateState | None:
    """The sale's gate now; None when there is none.

    Raises:
        GateUnavailable: Redis is away.
    """
    return gate.read_state(sale_id)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What PostgreSQL says a sale was given."""

    initial: int
    added: int


def ledgers_of(sale_ids: Collection[int]) -> dict[int, Ledger]:
    """Those of these sales that the ledger knows."""
    rows = SaleStock.objects.filter(sale_id__in=list(sale_ids))
    return {row.sale_id: Ledger(row.initial, row.added) for row in rows}


def line_of(sale_id: int, state: GateState) -> Line | None:
    """The sale's waiting room; None when none is on.

    Raises:
        GateUnavailable: Redis is away.
    """
    return None if state.room == "off" else room.read_line(sale_id)


def public_view(sale_id: int, state: GateState, line: Line | None = None) -> dict[str, Any]:
    """What everybody may know of a sale, the same for all, so that a cache may answer for a second.

    A shopper in the line computes its own place from its number, `before` and `seed`: see inventory/room.py.
    """
    shown = {
        "sale": sale_id,
        "now": _text(state.now_ms),
        "state": state.state,
        "stock": state.stock,
        "starts_at": _text(state.starts_at_ms),
        "ends_at": _text(state.ends_at_ms),
        "notice": state.notice,
        "poll_after_ms": poll_after_ms(state, line),
    }
    return shown if line is None else shown | {"room": asdict(line)}


def poll_after_ms(state: GateState, line: Line | None = None) -> int:
    if line is not None and state.state != "ended":
        waiting = line.joined - min(line.serving, line.joined)
        soonest = min(POLL_OVER_MS, max(POLL_OPEN_MS, 1000 * waiting // POLLS_PER_S))
        return max(soonest, min(POLL_WAITING_MS, state.starts_at_ms - state.now_ms))
    if state.state == "upcoming":
        # Come back right after the start, but not all within one round trip of it.
        return max(POLL_OPEN_MS, min(POLL_WAITING_MS, state.starts_at_ms - state.now_ms))
    return POLL_OVER_MS if state.state == "ended" else POLL_OPEN_MS


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
