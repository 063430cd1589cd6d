"""Every second of the last hour, from the three who know: the web's counts, the queue's series, the orders' history.

One of a process. The past is read once; then each look reads the last seconds again, because some are told late.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from django.db import DatabaseError
from redis.exceptions import RedisError

from config.traffic.keys import KEPT_S
from config.traffic.reading import Moment, read_seconds
from orders.steps import Steps
from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_series import read_series
from queueing.conf import topics
from queueing.console.link import client
from queueing.db import away_is_not_failure
from queueing.errors import StoreUnavailable
from queueing.series import Series, added_up

ADMISSIONS, CREATORS = "orders.placed", "orders"
QUEUED = "queued"
SETTLED_S = 2  # a second is written down within one second after its end
LATELY_S, NOT_SO_LATELY_S, EVERY = 5, 150, 30  # of 30 looks, one goes further back: to what was told minutes later
FRESH_S = 0.9


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is known: the last settled second, and each that something happened in."""

    last_s: int
    seconds: dict[int, Moment]
    unknown_since: datetime | None = None  # None: Redis answers
    steps_known: bool = True

    def summed(self, seconds: int) -> Moment:
        """Everything of so many seconds, up to the last settled one."""
        found = Moment()
        for second in range(self.last_s - seconds + 1, self.last_s + 1):
            if second in self.seconds:
                found.add(self.seconds[second])
        return found

    def counted(self, first_s: int, last_s: int) -> Counter[str]:
        """The counts of these seconds, both included."""
        found: Counter[str] = Counter()
        for second in range(first_s, last_s + 1):
            if second in self.seconds:
                for name, number in self.seconds[second].counts.items():
                    found[name] += number
        return found


class Since:
    """The counts since a second, at most an hour ago. What can't change any more is added up once."""

    def __init__(self) -> None:
        self._since_s = self._upto_s = 0
        self._sum: Counter[str] = Counter()

    def counted(self, window: Window, since_s: int) -> Counter[str]:
        if since_s != self._since_s:
            self._since_s = self._upto_s = since_s
            self._sum = Counter()
        settled_s = max(self._upto_s, window.last_s - NOT_SO_LATELY_S)
        self._sum.update(window.counted(self._upto_s, settled_s - 1))
        self._upto_s = settled_s
        found = self._sum.copy()
        found.update(window.counted(settled_s, window.last_s))
        return found


class Flow:
    """Threads share it; one of them looks, the others wait for what it saw."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps = Steps()
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._looks = 0
        self._window = Window(last_s=0, seconds={})

    def read(self) -> Window:
        """As of now, at most a second old. Never raises: what is not known is said."""
        with self._lock:
            if self._clock() - self._looked_at >= FRESH_S:
                self._window = self._look()
                self._looked_at = self._clock()
            return self._window

    def _look(self) -> Window:
        before = self._window
        last_s = KEPT_S if not before.last_s else NOT_SO_LATELY_S if self._looks % EVERY == 0 else LATELY_S
        try:
            now_s: int = client().time()[0]
            if before.last_s:  # nothing is left out where nobody looked for a while
                last_s = min(KEPT_S, max(last_s, now_s - before.last_s + LATELY_S))
            first_s = now_s - last_s + 1
            seconds = read_seconds(client(), first_s=first_s, last_s=now_s)
            _add_queue(seconds, read_queue(last_s=last_s))
        except (RedisError, OSError):
            since = before.unknown_since or datetime.now(UTC)
            return msgspec.structs.replace(before, unknown_since=since)
        steps = self._read_steps(now_s=now_s, last_s=last_s)
        for second in range(first_s, now_s + 1):
            known = steps.get(second, {}) if steps is not None else _steps_of(before.seconds.get(second))
            if known:
                seconds.setdefault(second, Moment()).counts.update({f"step:{name}": n for name, n in known.items()})
        kept = {s: moment for s, moment in before.seconds.items() if now_s - KEPT_S < s < first_s}
        self._looks += 1
        return Window(last_s=now_s - SETTLED_S, seconds=kept | seconds, steps_known=steps is not None)

    def _read_steps(self, *, now_s: int, last_s: int) -> dict[int, dict[str, int]] | None:
        try:
            with away_is_not_failure():
                return self._steps.read(now_s=now_s, last_s=last_s)
        except (StoreUnavailable, DatabaseError):
            return None


def read_queue(*, last_s: int) -> Series | None:
    """The admission log as those see it who make rows of it; None: no sale was ever opened.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    partitions = read_partitions(client(), [topics()[ADMISSIONS]])[ADMISSIONS].partitions
    found = read_series(client(), [(ADMISSIONS, partition, CREATORS) for partition in partitions], last_s=last_s)
    return added_up(list(found.values())) if found else None


def _add_queue(seconds: dict[int, Moment], queue: Series | None) -> None:
    if queue is not None:
        for number, queued in enumerate(queue.produced):
            if queued:
                seconds.setdefault(queue.first_s + number, Moment()).counts[QUEUED] = queued


def _steps_of(moment: Moment | None) -> dict[str, int]:
    counts = moment.counts if moment else {}
    return {name.removeprefix("step:"): n for name, n in counts.items() if name.startswith("step:")}
