"""How many consumers a group should have: one decision from the latest samples, with its reason in words.

lag > up, or heading there before it would drain ──► double, unless more consumers cannot help
lag < down for a while ────────────────────────────► halve, unless fewer were not enough lately
between them ──────────────────────────────────────► leave it: what lies between is hysteresis
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from queueing.autoscaler.limits import Limits
from queueing.autoscaler.trend import Sample, drain_s, since_s, slope_per_s, took_at_most

Direction = Literal["up", "down", "hold"]
AT_CAP = 0.85  # of a cap: a group that takes so much of it is held up by nothing else
CAP_JUDGED_AFTER_S = 2.0  # of work without a break, or nobody knows what the present consumers could take
GAIN = 1.1  # what growing must have brought, or more of the same is no use
JUDGED_FOR_S = 60.0  # then it is tried again: what was the limit may not be it any more
ENOUGH = 0.8  # of what fewer consumers took at their best; so much may arrive, and they suffice


@dataclass(frozen=True, slots=True)
class Changed:
    """The last change of the desired number: when, to how many, and what the group acknowledged a second before."""

    at_s: float
    direction: Direction
    consumers: int
    acked_per_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """kind: one word for the reason; two decisions of a kind differ in their figures only."""

    desired: int
    direction: Direction
    kind: str
    reason: str


def decide(samples: Sequence[Sample], *, desired: int, limits: Limits, last: Changed | None = None) -> Decision:
    """samples: about one a second of the last minutes, the latest last. last: None: nothing was ever changed."""
    now = samples[-1]
    within = limits.within(desired)
    if within != desired:
        side: Direction = "up" if within > desired else "down"
        return Decision(within, side, "limits", f"{limits.least} to {limits.most} consumers are allowed")
    if why := _why_grow(samples, limits):
        return _grow(samples, why, desired, limits, last)
    if now.lag < limits.down:
        return _shrink(samples, desired, limits, last)
    between = f"lag {now.lag:,} is between {limits.down:,} and {limits.up:,}"
    return Decision(desired, "hold", "between", between)


def _why_grow(samples: Sequence[Sample], limits: Limits) -> str:
    now, slope = samples[-1], slope_per_s(samples)
    if now.lag > limits.up:
        return f"lag {now.lag:,} is above {limits.up:,}"
    if now.lag > limits.down and slope > 0:
        until_s = (limits.up - now.lag) / slope
        if until_s <= limits.up_pause_s:
            return f"lag {now.lag:,} rises by {slope:,.0f} a second and is above {limits.up:,} in {until_s:.0f} s"
    return ""


def _grow(samples: Sequence[Sample], why: str, desired: int, limits: Limits, last: Changed | None) -> Decision:
    def hold(kind: str, because: str) -> Decision:
        return Decision(desired, "hold", kind, f"{why}, but {because}")

    now = samples[-1]
    if now.paused:
        return hold("paused", "the group is paused")
    if drain_s(now) <= limits.drain_target_s:
        return hold("soon", f"it is empty in {drain_s(now):.0f} s at this rate")
    if now.cap is not None:
        if now.capped_per_s >= AT_CAP * now.cap:
            of = f"the group is at its cap of {now.cap:,.0f} a second"
            return hold("cap", f"{of}: more consumers would wait for the same cap")
        if now.at_s - since_s(samples, lambda sample: sample.lag > 0) < CAP_JUDGED_AFTER_S:
            return hold("judging", f"how much of its cap of {now.cap:,.0f} a second it takes is not known yet")
    if desired == limits.most:
        return hold("most", f"{limits.most} consumers are the most allowed")
    if last and last.direction == "up":
        if now.at_s - last.at_s < limits.up_pause_s or now.actual < desired:
            return hold("settling", "the consumers started last are not yet at work")
        brought_nothing = now.acked_per_s < GAIN * last.acked_per_s
        if brought_nothing and now.at_s - last.at_s < JUDGED_FOR_S:
            before, after = f"{last.acked_per_s:,.0f} a second before", f"{now.acked_per_s:,.0f} now"
            shared = "what they share is the limit, such as the database"
            return hold("no gain", f"growing to {last.consumers} brought nothing ({before}, {after}): {shared}")
    return Decision(min(2 * desired, limits.most), "up", "grow", why)


def _shrink(samples: Sequence[Sample], desired: int, limits: Limits, last: Changed | None) -> Decision:
    now = samples[-1]
    low = f"lag {now.lag:,} is below {limits.down:,}"
    if desired == limits.least:
        return Decision(desired, "hold", "least", f"{low}, and {limits.least} is the least allowed")
    since = since_s(samples, lambda sample: sample.lag < limits.down)
    calm_s = now.at_s - max(since, last.at_s if last else since)
    if calm_s < limits.down_pause_s:
        waits = f"{low} for {calm_s:.0f} s; after {limits.down_pause_s:.0f} s it shrinks"
        return Decision(desired, "hold", "calm", waits)
    fewer = max(desired // 2, limits.least)
    took = took_at_most(samples, fewer, lag=limits.down)
    arrives = _arrives_per_s(samples, calm_s)
    if took is not None and arrives > ENOUGH * took:
        because = f"{arrives:,.0f} a second arrive, and {fewer} took no more than {took:,.0f}"
        return Decision(desired, "hold", "needed", f"{low}, but {because}")
    return Decision(fewer, "down", "shrink", f"{low} for {calm_s:.0f} s")


def _arrives_per_s(samples: Sequence[Sample], over_s: float) -> float:
    lately = [sample.produced_per_s for sample in samples if samples[-1].at_s - sample.at_s <= over_s]
    return sum(lately) / len(lately)
