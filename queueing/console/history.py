"""What happened to every group, step by step: what the page's charts begin with."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from queueing.brokers.redis_series import Place, read_series
from queueing.console.knowing import places
from queueing.console.link import client
from queueing.console.rates import ALL
from queueing.series import KEPT_S, Series, added_up

LAST_S = 300
POINTS = 600  # at most: more are not to be seen on a screen
SAME_FOR_S = 2.0  # twenty pages opened at once read the series once
T = TypeVar("T")


class History(msgspec.Struct, frozen=True):
    """lines: group (and ALL), or what was asked for → lag, produced/s and consumed/s of each step from `first_s` on.

    step_s: seconds of a step; the lag is that at its end.
    """

    first_s: int
    lines: dict[str, tuple[list[int], list[float], list[float]]]
    step_s: int = 1


class Remembered(Generic[T]):
    """The answers of the last two seconds. Whoever asks while one is being made waits for it."""

    def __init__(self) -> None:
        self._lock, self._answers = threading.Lock(), dict[object, tuple[float, T]]()

    def get(self, question: object, make: Callable[[], T]) -> T:
        with self._lock:
            now = time.monotonic()
            self._answers = {asked: kept for asked, kept in self._answers.items() if now - kept[0] < SAME_FOR_S}
            if question not in self._answers:
                self._answers[question] = time.monotonic(), make()
            return self._answers[question][1]


_remembered: Remembered[History] = Remembered()


def read_history(*, last_s: int = LAST_S) -> History:
    """Every group and all of them together, in at most POINTS whole steps; the one that still counts is left out.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    step_s = step_for(last_s)
    return _lines(_read(places(), last_s, step_s), step_s)


def shared_history(*, last_s: int) -> History:
    """The same, up to two seconds old."""
    return _remembered.get(last_s, lambda: read_history(last_s=last_s))


def read_partition(*, group: str, topic: str, partition: str, last_s: int) -> History:
    """One partition as one group sees it. What does not exist has had nothing to do.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    step_s = step_for(last_s)
    found = _read([(topic, partition, group)], last_s, step_s)
    return _named({f"{group}/{topic}/{partition}": found[topic, partition, group]}, step_s)


def step_for(last_s: int) -> int:
    """Seconds of a step, so that there are at most POINTS of them."""
    return -(-last_s // POINTS)


def _read(where: Sequence[Place], last_s: int, step_s: int) -> dict[Place, Series]:
    steps = min(last_s // step_s + 1, KEPT_S // step_s)  # and the one that still counts
    return read_series(client(), where, last_s=steps * step_s, step_s=step_s)


def _lines(found: dict[Place, Series], step_s: int) -> History:
    by_group: dict[str, list[Series]] = defaultdict(list)
    for (_, _, group), series in found.items():
        by_group[group].append(series)
    added = {group: added_up(many) for group, many in sorted(by_group.items())}
    return _named({**added, ALL: added_up(list(added.values()))} if added else {}, step_s)


def _named(by_name: dict[str, Series], step_s: int) -> History:
    first_s = next((series.first_s for series in by_name.values()), 0)
    lines = {
        name: (series.lag[:-1], _rates(series.produced, step_s), _rates(series.acked, step_s))
        for name, series in by_name.items()
    }
    return History(first_s, lines, step_s)


def _rates(counts: list[int], step_s: int) -> list[float]:
    """A second, of all but the step that still counts."""
    return [round(count / step_s, 2) for count in counts[:-1]] if step_s > 1 else list(counts[:-1])
