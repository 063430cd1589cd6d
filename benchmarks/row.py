"""One line of reports/bench.json, and how a pair is measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass

PAIRS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `theirs` are in `unit`; `ratio` is ours / theirs; `target` the least ratio that counts as reached."""

    name: str
    unit: str
    ours: float
    against: str
    theirs: float
    target: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        return self.ratio >= self.target

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "ratio": round(self.ratio, 3), "reached": self.reached}


def rates(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """The median of PAIRS alternating runs each: what the machine does meanwhile hits both sides alike.

    Each callable does its work once and returns operations per second.
    """
    pairs = [(ours(), theirs()) for _ in range(PAIRS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
