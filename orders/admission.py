"""Where orders asks inventory's gate: the one place in the house where two apps meet inside a request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from inventory import gate
from inventory.gate import Decision, GateUnavailable
from orders.errors import Refused
from orders.events import OrderPlaced
from orders.tokens import Receipt

MOST_UNITS = gate.MOST_UNITS
# The group `orders` is capped at this rate, so it tells how soon a full queue has room again.
WORKED_OFF_PER_S = 1_000


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate's yes. `place` is 1 for the order that is worked off next, 0 when it is done."""

    receipt: Receipt
    place: int


class NoGate(Exception):
    """The sale has no gate, or one that admits nobody any more; PostgreSQL may still know the order."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code  # missing | closed | ended


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the queue of a sale has come, in which life of the gate."""

    epoch: int
    worked_off: int

    def place_of(self, receipt: Receipt) -> int:
        return max(0, receipt.seq - self.worked_off)


def is_well_formed(idempotency_key: str) -> bool:
    """8 to 100 characters that need no escaping in a URL, a header or a Redis field."""
    return gate.IDEMPOTENCY_KEY.fullmatch(idempotency_key) is not None


async def ask(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission:
    """Ask the gate for `quantity` units.

    Raises:
        Refused: no, and why.
        NoGate: there is nobody to ask.
    """
    try:
        decision = await gate.admit(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity
        )
    except GateUnavailable as error:
        raise Refused("unavailable") from error
    return _admission(decision)


def ask_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission:
    """As `ask`, for code without an event loop."""
    try:
        decision = gate.admit_sync(sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity)
    except GateUnavailable as error:
        raise Refused("unavailable") from error
    return _admission(decision)


def standing(sale_id: int) -> Standing | None:
    """None: Redis is away, or the gate is."""
    try:
        state = gate.read_state(sale_id)
    except GateUnavailable:
        return None
    return Standing(state.epoch, state.worked_off) if state else None


def _admission(decision: Decision) -> Admission:
    match decision.outcome:
        case "admitted":
            placed = OrderPlaced.decode(decision.body)
            receipt = Receipt(
                order_id=UUID(placed.order_id),
                user_id=placed.user_id,
                sale_id=placed.sale_id,
                epoch=placed.epoch,
                seq=placed.seq,
                quantity=placed.quantity,
                price_cents=placed.price_cents,
                placed_at_ms=placed.placed_at_ms,
            )
            return Admission(receipt, decision.number)
        case "conflict":
            raise Refused("idempotency_conflict")
        case "missing" | "closed" | "ended":
            raise NoGate(decision.outcome)
        case "over_limit":
            left = f"You may buy {decision.number} more" if decision.number else "You have bought all you may"
            raise Refused("over_limit", f"{left} in this sale.")
        case "sold_out" if decision.number:
            raise Refused("sold_out", f"Only {decision.number} left.")
        case "wait":
            raise Refused("not_your_turn", f"It is not your turn yet: {decision.number + 1} before you.")
        case "queue_full":
            # A tenth of the queue's length is room enough to come back to.
            wait_s = min(30, max(1, decision.number // (10 * WORKED_OFF_PER_S)))
            raise Refused("queue_full", retry_after_s=wait_s)
        case code:
            raise Refused(code)
