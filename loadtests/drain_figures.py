"""The seeds' arithmetic beside what was measured.

backlog         = what arrived - rate * time since the consumers began
time to empty   = backlog / rate
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.lag import Sample
from loadtests.spike_figures import digits

MOST_POINTS = 400  # of a chart


@dataclass(frozen=True, slots=True)
class Drained:
    """What one filling and emptying came to. Seconds; None: it was never empty.

    per_s: the cap, or what the consumers came to without one. deviation_pct: the furthest the backlog was from the
    formula, in percent of the peak. points: seconds since the first order, backlog and formula.
    """

    peak: int
    empty_s: float | None
    formula_s: float | None
    per_s: float
    off_pct: float | None
    deviation_pct: float | None
    points: list[dict[str, float]]

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def drained(samples: Sequence[Sample], *, admitted_ms: Iterable[int], cap_per_s: float | None) -> Drained:
    """admitted_ms: when each order was acknowledged to its buyer, by the generator's clock (the same machine's).

    The clock runs from the last look that still saw every order waiting to the first that saw none: up to two looks
    more than it took, never less.
    """
    peak = max((sample.lag for sample in samples), default=0)
    full = max((n for n, sample in enumerate(samples) if sample.lag == peak), default=0)
    empty = next((n for n, sample in enumerate(samples) if n > full and not sample.lag), None)
    if not peak or empty is None:
        return Drained(peak, None, peak / cap_per_s if cap_per_s else None, cap_per_s or 0.0, None, None, [])
    began_ms = samples[full].at_ms
    empty_s = (samples[empty].at_ms - began_ms) / 1000
    per_s = cap_per_s or peak / empty_s
    formula_s = peak / per_s
    came = sorted(admitted_ms)
    first_ms = came[0] if came else began_ms
    before = samples[0].lag
    points = []
    for sample in samples[: empty + 1]:
        if sample.at_ms >= first_ms:
            arrived = before + bisect.bisect_right(came, sample.at_ms)
            expected = max(0.0, arrived - per_s * max(0, sample.at_ms - began_ms) / 1000)
            points.append({"s": (sample.at_ms - first_ms) / 1000, "backlog": sample.lag, "formula": round(expected)})
    return Drained(
        peak=peak,
        empty_s=digits(empty_s, 4),
        formula_s=digits(formula_s, 4),
        per_s=digits(per_s),
        off_pct=digits(abs(empty_s - formula_s) / formula_s * 100),
        deviation_pct=digits(max(abs(p["backlog"] - p["formula"]) for p in points) / peak * 100) if points else None,
        points=thinned(points),
    )


def thinned(points: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """At most MOST_POINTS of them, the last one always."""
    step = -(-len(points) // MOST_POINTS) or 1
    return [*points[:-1:step], *points[-1:]]
