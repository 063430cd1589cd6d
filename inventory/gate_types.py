"""What is said to the admission gate and what it says: plain data."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class Decision(msgspec.Struct, frozen=True, gc=False):  # one for every request of the hot second
    """What the gate said.

    outcome: admitted | conflict | missing | closed | not_started | ended | paused | room_closed | not_in_line
        | turn_lapsed | wait | over_limit | sold_out | queue_full
    body: of an admitted order, the OrderPlaced event as JSON; the same bytes each time its key comes again.
    number: place in the queue (admitted), turns ahead (wait), units left (over_limit: to this user; sold_out), lag
        (queue_full); else 0.
    retry_after_s: of queue_full, when the orders group has made room again, as fast as it works them off now.
    """

    outcome: str
    body: bytes = b""
    number: int = 0
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change while a sale runs. Times are milliseconds since 1970 UTC, compared with Redis's clock."""

    price_cents: int
    starts_at_ms: int
    ends_at_ms: int
    per_user_limit: int
    room: str = "off"  # off | on | closed: the waiting room, see inventory/room.py
    turns_per_s: int = 1_000
    turn_s: int = 60
    paused: bool = False
    notice: str = ""
    revision: int = 0  # the gate keeps the terms of the highest it was given


@dataclass(frozen=True, slots=True)
class Movement:
    """A ledger entry the gate must take in: units returned by a user, or (user_id None) units added."""

    ledger_id: int
    quantity: int
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate at one instant. `worked_off` of its `seq` admissions have left the queue."""

    stock: int
    initial: int
    price_cents: int
    starts_at_ms: int
    ends_at_ms: int
    per_user_limit: int
    epoch: int
    seq: int
    is_open: bool
    now_ms: int
    worked_off: int
    room: str = "off"
    paused: bool = False
    notice: str = ""
    revision: int = 0

    @property
    def state(self) -> str:
        """upcoming | open | paused | sold_out | ended."""
        if self.now_ms < self.starts_at_ms:
            return "upcoming"
        if self.now_ms >= self.ends_at_ms:
            return "ended"
        if self.paused:
            return "paused"
        return "open" if self.stock > 0 else "sold_out"
