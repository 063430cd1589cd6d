"""Series in memory: where counters stood when each second began to count."""

from __future__ import annotations

from typing import Generic, TypeVar

from queueing.series import KEPT_S

T = TypeVar("T")


class History(dict[int, T], Generic[T]):
    """Second → where the counters stood when it began to count; the last hour of it."""

    def note(self, now_s: int, totals: T) -> None:
        """Call it before the counters change."""
        if now_s in self:
            return
        self[now_s] = totals
        for second in [second for second in self if second <= now_s - KEPT_S]:
            del self[second]
