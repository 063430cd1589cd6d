"""Caps: charging messages to one, and setting one while consumers run."""

from __future__ import annotations

from queueing.broker import SAVED_UP_S
from queueing.brokers.memory.base import MemoryBase


class Capping(MemoryBase):
    def charge(
        self, group: str, messages: int, rate: float, *, topic: str = "", saved_up_s: float = SAVED_UP_S
    ) -> float:
        now = self.clock()
        debt_s, at, before = self._debts.get((group, topic), (-SAVED_UP_S, now, rate))
        debt_s = max(-saved_up_s, debt_s - (now - at))
        if debt_s > 0 and before < rate:
            debt_s *= before / rate
        debt_s += messages / rate
        self._debts[group, topic] = (debt_s, now, rate)
        return debt_s

    def rates(self, group: str) -> dict[str, float | None]:
        return dict(self._caps.get(group, {}))

    def set_rate(self, group: str, rate: float | None, *, topic: str = "") -> None:
        self._caps.setdefault(group, {})[topic] = rate

    def forget_rate(self, group: str, *, topic: str = "") -> None:
        self._caps.get(group, {}).pop(topic, None)
