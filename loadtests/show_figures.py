"""What was to be seen, in figures: when the lag passed which line, and how many consumers there were then."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from loadtests.show_room import Moment
from loadtests.spike_verdict import Threshold, at_least, at_most, exactly

UP, DOWN = 10_000, 1_000  # messages: the autoscaler's rule
REACTS_WITHIN_S = 5.0  # from the first sample over UP to a new consumer
SHRINKS_WITHIN_S = 60.0


def of(seen: Sequence[Moment], *, t0: float) -> dict[str, Any]:
    """t0: when the first order was meant to leave, by time.monotonic(). Times are seconds after it."""
    after = [moment for moment in seen if moment.at_s >= t0]
    over = _first(after, lambda moment: moment.lag > UP)
    grown = _first(after, lambda moment: moment.alive > 1)
    drained = _first(after, lambda moment: over is not None and moment.at_s > over.at_s and moment.lag < DOWN)
    alone = _first(after, lambda moment: drained is not None and moment.at_s >= drained.at_s and moment.alive == 1)
    return {
        "peak": max((moment.lag for moment in after), default=0),
        "most_consumers": max((moment.alive for moment in after), default=0),
        "over_s": _s(over, t0),
        "grown_s": _s(grown, t0),
        "drained_s": _s(drained, t0),
        "alone_s": _s(alone, t0),
        "said": [f"{moment.at_s - t0:.0f} s: {moment.why}" for moment in _news(after)],
        "over_time": [
            {"s": round(moment.at_s - t0, 2), "lag": moment.lag, "consumers": moment.alive} for moment in after
        ],
    }


def thresholds(result: dict[str, Any]) -> list[Threshold]:
    slow, capped = result["acts"]["slow_consumers"], result["acts"]["at_its_cap"]
    return [
        at_least("slow consumers: the highest lag", slow["peak"], UP + 1),
        at_least("slow consumers: the most of them", slow["most_consumers"], 2),
        _within("seconds from the first sample over 10,000 to one more", slow, ("over_s", "grown_s"), REACTS_WITHIN_S),
        _within("seconds from below 1,000 to one again", slow, ("drained_s", "alone_s"), SHRINKS_WITHIN_S),
        at_least("at its cap: the highest lag", capped["peak"], UP + 1),
        exactly("at its cap: the most consumers", capped["most_consumers"], 1),
        exactly("at its cap: the autoscaler names it", any("at its cap" in why for why in capped["said"]), True),
        exactly("faults that did not end", result["faults_left"], 0),
        exactly("audit: broken rules", result["audit"]["broken"], 0),
    ]


def _within(name: str, act: dict[str, Any], times: tuple[str, str], limit: float) -> Threshold:
    first, then = (act[time] for time in times)
    if first is None or then is None:
        return {"name": name, "value": "never", "limit": limit, "ok": False}
    return at_most(name, round(max(0.0, then - first), 2), limit)


def _first(seen: Sequence[Moment], holds: Callable[[Moment], bool]) -> Moment | None:
    return next(filter(holds, seen), None)


def _s(moment: Moment | None, t0: float) -> float | None:
    return None if moment is None else round(moment.at_s - t0, 2)


def _news(seen: Sequence[Moment]) -> list[Moment]:
    """Those whose reason is another one than a moment before, and not the same with other figures."""
    found: list[Moment] = []
    for moment in seen:
        if moment.why and (not found or _kind(moment.why) != _kind(found[-1].why)):
            found.append(moment)
    return found


def _kind(why: str) -> str:
    return re.sub(r"[\d,.]+", "#", why)
