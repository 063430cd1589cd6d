"""A group's recent past, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SLOPE_OVER_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A group at one moment. Rates are messages a second just before.

    at_s: any clock that only goes forward. actual: consumers at work.
    cap, capped_per_s: of the topics that hold most of the lag: what the group may take of them, None when nothing caps
        them, and what it took.
    """

    at_s: float
    lag: int
    produced_per_s: float
    acked_per_s: float
    actual: int
    cap: float | None = None
    capped_per_s: float = 0.0
    paused: bool = False


def slope_per_s(samples: Sequence[Sample], *, over_s: float = SLOPE_OVER_S) -> float:
    """How fast the lag rises, messages a second: from the oldest sample of the last `over_s` to the latest."""
    now = samples[-1]
    first = next(sample for sample in samples if now.at_s - sample.at_s <= over_s)
    return (now.lag - first.lag) / (now.at_s - first.at_s) if now.at_s > first.at_s else 0.0


def drain_s(sample: Sample) -> float:
    """Seconds until the group has nothing left if both rates stay; infinite when it doesn't gain."""
    if sample.lag == 0:
        return 0.0
    gain = sample.acked_per_s - sample.produced_per_s
    return sample.lag / gain if gain > 0 else float("inf")


def since_s(samples: Sequence[Sample], holds: Callable[[Sample], bool]) -> float:
    """Since when this has held without a break, up to the latest sample; its own moment when it does not hold."""
    since = samples[-1].at_s
    for sample in reversed(samples):
        if not holds(sample):
            break
        since = sample.at_s
    return since


def took_at_most(samples: Sequence[Sample], consumers: int, *, lag: int) -> float | None:
    """The best rate of so many consumers while they had a backlog of at least `lag`; None: they never had."""
    rates = [sample.acked_per_s for sample in samples if 0 < sample.actual <= consumers and sample.lag >= lag]
    return max(rates, default=None)
