"""What inventory shows of a sale on pages: its state at the gate, and the stock bar."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from inventory import selectors
from inventory.gate import GateUnavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AtTheGate:
    """A sale as shoppers meet it right now."""

    sold_out: bool
    paused: bool
    notice: str

    @property
    def word(self) -> str:
        """open | paused | sold_out, as in the public JSON while the sale lasts."""
        return "paused" if self.paused else "sold_out" if self.sold_out else "open"


def at_the_gate_now(sale_id: int) -> AtTheGate | None:
    """None while nobody can tell: Redis is silent, or the sale has no gate yet."""
    try:
        state = selectors.gate_of(sale_id)
    except GateUnavailable as error:
        logger.warning("no state of sale %d: %s", sale_id, error)
        return None
    return None if state is None else AtTheGate(state.stock == 0, state.paused, state.notice)


def stock_bar_context(sale_id: int, initial: int = 0, *, ask: bool = True) -> dict[str, Any]:
    """left: units in the gate, None while nobody can tell. of: units ever given; `initial` if the gate is silent."""
    silent = not ask
    state = None
    try:
        if ask:
            state = selectors.gate_of(sale_id)
    except GateUnavailable as error:
        # A page without its bar is better than no page.
        logger.warning("no stock bar for sale %d: %s", sale_id, error)
        silent = True
    if state is None:
        return {"sale_id": sale_id, "left": None, "of": initial, "percent": 0, "every_s": 5, "silent": silent}
    return {
        "sale_id": sale_id,
        "left": state.stock,
        "of": state.initial,
        "percent": round(100 * state.stock / state.initial) if state.initial else 0,
        "silent": False,
        "every_s": 0 if state.state == "ended" else selectors.poll_after_ms(state) // 1000,
    }
