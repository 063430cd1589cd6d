"""The context of the stock bar, shared by the template tag and the fragment."""

from __future__ import annotations

import logging
from typing import Any

from inventory import selectors
from inventory.gate import GateUnavailable

logger = logging.getLogger(__name__)


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
