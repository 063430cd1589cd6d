"""What the console knows right now: the last sample, how old it is, and since when nothing newer is known."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from redis.exceptions import RedisError

from queueing.console.rates import Rate, rates
from queueing.console.resting import Counters
from queueing.console.sampling import take_sample
from queueing.console.snapshot import Snapshot

logger = logging.getLogger("queueing.console")

FRESH_S = 1.0  # so many pages as may be open cost one sample a second
# Half of what the pages may cost (2 % of a core) is for this process's part of sampling; a sample that takes 20 ms of
# it, as of a few hundred busy partitions, is taken every two seconds.
SHARE, LONGEST_S = 0.01, 3.0
STALE_S = 6.0  # three polls of a page
RATE_OVER_S = 1.8  # at least: totals a second apart make a nervous rate
FORGET_S = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    snapshot: Snapshot | None
    rates: dict[str, Rate]
    age_s: float  # of the sample, by this process's clock
    unknown_since: datetime | None  # None: Redis answers
    why: str = ""

    @property
    def stale(self) -> bool:
        return self.snapshot is None or self.unknown_since is not None or self.age_s > STALE_S


@dataclass(slots=True)
class Reader:
    """One of a process. Threads share it; only one of them asks Redis, the others get what was known before."""

    take: Callable[[], Snapshot] = field(default_factory=lambda: partial(take_sample, Counters()))
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    fresh_s: float = FRESH_S
    _samples: deque[tuple[float, Snapshot]] = field(default_factory=deque, init=False)
    _known_at: datetime | None = field(default=None, init=False)
    _unknown_since: datetime | None = field(default=None, init=False)
    _why: str = field(default="", init=False)
    _asked: float = field(default=float("-inf"), init=False)
    _cost_s: float = field(default=0.0, init=False)  # of this process, for the last sample
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def read(self) -> Reading:
        """The reading of this second. Never raises for a Redis that is away."""
        never_asked = self._asked == float("-inf")
        if self.clock() - self._asked >= self._pause_s and self._lock.acquire(blocking=never_asked):
            try:
                if self.clock() - self._asked >= self._pause_s:
                    self._ask()
            finally:
                self._lock.release()
        return self._reading()

    @property
    def _pause_s(self) -> float:
        return max(self.fresh_s, min(self._cost_s / SHARE, LONGEST_S)) if self.fresh_s else 0.0

    def _ask(self) -> None:
        began = time.thread_time()
        try:
            snapshot = self.take()
        except (RedisError, OSError) as error:
            if self._unknown_since is None:
                self._unknown_since = self._known_at or self.now()
                logger.warning("the console does not know the queue any more: %s", error)
            self._why = f"{type(error).__name__}: {error}"
        else:
            self._unknown_since, self._why, self._known_at = None, "", self.now()
            self._samples.append((self.clock(), snapshot))
            while self._samples[-1][0] - self._samples[0][0] > FORGET_S:
                self._samples.popleft()
        finally:
            self._asked, self._cost_s = self.clock(), time.thread_time() - began

    def _reading(self) -> Reading:
        samples = list(self._samples)
        if not samples:
            return Reading(None, {}, 0.0, self._unknown_since or self.now(), self._why)
        taken, snapshot = samples[-1]
        before = next((s for at, s in reversed(samples) if taken - at >= RATE_OVER_S), None)
        return Reading(
            snapshot=snapshot,
            rates=rates(before, snapshot) if before and self._unknown_since is None else {},
            age_s=self.clock() - taken,
            unknown_since=self._unknown_since,
            why=self._why,
        )
