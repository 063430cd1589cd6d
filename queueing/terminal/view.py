"""What `manage.py top` knows at one moment: the reading of the operator's page, the last minute's lag, and the last
decisions of the autoscaler."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from redis.exceptions import RedisError

from queueing.console import scaling
from queueing.console.history import History, read_history
from queueing.console.rates import ALL, Rate
from queueing.console.reading import Reading
from queueing.console.scaling import Step
from queueing.console.selectors import read_queue

LAST_S = 60
FIRST_RATE_OVER_S = 10
DECISIONS = 5


@dataclass(frozen=True, slots=True)
class View:
    reading: Reading
    lag: list[int]  # of all groups, at the end of each of the last seconds, and now; empty while Redis is away
    steps: list[Step] = field(default_factory=list)  # the newest first; none while PostgreSQL is away


def look() -> View:
    """Never raises for a Redis that is away; the reading says since when."""
    reading = read_queue()
    snapshot = reading.snapshot
    if snapshot is None or reading.unknown_since is not None:
        return View(reading, [], scaling.latest(most=DECISIONS))
    try:
        history = read_history(last_s=LAST_S)
    except RedisError:
        return View(reading, [], scaling.latest(most=DECISIONS))
    if not reading.rates:  # a rate takes two samples, and whoever asks once gives one
        reading = replace(reading, rates=_last_seconds(history))
    before = history.lines[ALL][0] if ALL in history.lines else []
    return View(reading, [*before, snapshot.total.lag], scaling.latest(most=DECISIONS))


def _last_seconds(history: History) -> dict[str, Rate]:
    found = {}
    for name, (_, produced, consumed) in history.lines.items():
        over_s = min(FIRST_RATE_OVER_S, len(produced))
        found[name] = Rate(
            produced=sum(produced[-over_s:]) / over_s, consumed=sum(consumed[-over_s:]) / over_s, over_s=over_s
        )
    return found


def as_json(view: View) -> dict[str, Any]:
    """The sample as it is; ages and times in milliseconds unless a name says otherwise."""
    reading = view.reading
    return {
        "stale": reading.stale,
        "unknown_since": reading.unknown_since,
        "age_s": round(reading.age_s, 3),
        "snapshot": reading.snapshot,
        "rates": reading.rates,
        "lag_last_60_s": view.lag,
        "scaling": view.steps,
    }
