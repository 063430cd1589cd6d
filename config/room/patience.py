"""A difference between two stores is news only when it stays: what moves while one looks may be seen twice."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 5.0
FORGOTTEN_S = 30.0  # nobody looked for so long: what was seen then says nothing about since


class Patience:
    """Since when something has differed, as whoever looks again and again tells it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self._looked_at = clock()

    def lasted_s(self, difference: int) -> float:
        """How long it has differed without a break, 0.0 when it does not now."""
        now = self._clock()
        if not difference:
            self._since = None
        elif self._since is None or now - self._looked_at > FORGOTTEN_S:
            self._since = now
        self._looked_at = now
        return 0.0 if self._since is None else now - self._since
