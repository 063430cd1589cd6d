"""How long to wait before another consumer is started in the place of one that ended."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Of one group. Each failure in a row doubles the wait; who ran for `steady_s` was no failure of the start.

    Several that were started together and end together are one failure.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    steady_s: float = 30.0
    in_a_row: int = field(default=0, init=False)
    until: float = field(default=float("-inf"), init=False)
    _failed_at: float = field(default=float("-inf"), init=False)

    def failed(self, *, started_at: float, now: float) -> float:
        """Note an end that nobody asked for. Returns the seconds until the next start."""
        if started_at >= self._failed_at:
            self.in_a_row = 1 if now - started_at > self.steady_s else self.in_a_row + 1
            wait_s = min(self.first_s * 2 ** min(self.in_a_row - 1, 30), self.longest_s)
            self._failed_at, self.until = now, now + wait_s
        return max(0.0, self.until - now)
