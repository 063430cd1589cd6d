"""One line of reports/bench.json, and how a pair is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

PAIRS = 7
ENOUGH_S = 25.0


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `theirs` are in `unit`; `ratio` is ours / theirs.

    target: the least ratio that counts as reached, or, with `at_most`, the greatest. None: only reported.
    """

    name: str
    unit: str
    ours: float
    against: str
    theirs: float
    target: float | None
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        if self.target is None:
            return True
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 1),
            "against": self.against,
            "theirs": round(self.theirs, 1),
            "ratio": round(self.ratio, 3),
            "target": self.target,
            "reached": self.reached,
        }


def rates(ours: Callable[[], float], theirs: Callable[[], float], *, pairs: int = PAIRS) -> tuple[float, float]:
    """The medians of alternating runs: what else the machine does meanwhile hits both sides alike.

    Each callable does its work once and returns operations per second. A machine too slow for all pairs within
    ENOUGH_S is measured by fewer.
    """
    measured: list[tuple[float, float]] = []
    deadline = time.monotonic() + ENOUGH_S
    while len(measured) < pairs and (not measured or time.monotonic() < deadline):
        measured.append((ours(), theirs()))
    return statistics.median(a for a, _ in measured), statistics.median(b for _, b in measured)
