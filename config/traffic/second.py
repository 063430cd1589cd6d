"""What one process counted in one second, and how that is written down."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from config.traffic.door import DOOR, Door
from orders.histogram import middle_of
from orders.tallies import LANE, PAGES, Tally

ANSWER = "answer:"  # before an outcome's name among the counts
# Prometheus's buckets, in seconds.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Second(msgspec.Struct, frozen=True, array_like=True):
    """counts: passed, shed, lost_seconds and answer:<outcome>, those that are not 0.

    took, took_admitted: bucket of orders/histogram.py → answers.
    """

    counts: dict[str, int]
    took: dict[int, int]
    took_admitted: dict[int, int]

    def __bool__(self) -> bool:
        return bool(self.counts)


class Meter:
    """What was counted between two looks at numbers that only grow. Whoever counts never notices."""

    def __init__(self, door: Door = DOOR, tallies: Sequence[Tally] = (LANE, PAGES)) -> None:
        self._door, self._tallies = door, tallies
        self._counts, self._took, self._took_admitted = self._look()

    def read(self) -> Second:
        """Since the last time."""
        counts, took, took_admitted = self._look()
        grown = {name: now - self._counts[name] for name, now in counts.items() if now != self._counts[name]}
        second = Second(grown, _grown(self._took, took), _grown(self._took_admitted, took_admitted))
        self._counts, self._took, self._took_admitted = counts, took, took_admitted
        return second

    def _look(self) -> tuple[dict[str, int], list[list[int]], list[list[int]]]:
        # Copies of a dictionary and a list are one step each: no answer is half in them.
        took = [tally.took.copy() for tally in self._tallies]
        took_admitted = [tally.took_admitted.copy() for tally in self._tallies]
        answers = [tally.answers.copy() for tally in self._tallies]
        counts = {"passed": self._door.passed, "shed": self._door.shed}
        for name in answers[0]:
            counts[ANSWER + name] = sum(one[name] for one in answers)
        return counts, took, took_admitted


def totals_of(second: Second) -> dict[str, int]:
    """What this second adds to the totals: its counts, and the two histograms in Prometheus's buckets and µs."""
    found = dict(second.counts)
    for kind, buckets in (("answers", second.took), ("admitted", second.took_admitted)):
        for bucket, times in buckets.items():
            took_us = middle_of(bucket)
            bound = next((str(bound) for bound in BOUNDS if took_us <= bound * 1e6), "+Inf")
            found[f"{kind}:le:{bound}"] = found.get(f"{kind}:le:{bound}", 0) + times
            found[f"{kind}:sum_us"] = found.get(f"{kind}:sum_us", 0) + round(took_us * times)
    return found


def _grown(before: list[list[int]], after: list[list[int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for then, now in zip(before, after, strict=True):
        if then != now:
            for bucket, (old, new) in enumerate(zip(then, now, strict=True)):
                if new != old:
                    found[bucket] = found.get(bucket, 0) + new - old
    return found
