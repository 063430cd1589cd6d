"""The consumers of one group that this supervisor runs: started, watched, drained, replaced.

started ──► at work ──► asked to leave ──► gone
               │ ended, or stood still for three leases and was killed
               ▼
            another is started, after a wait that doubles with each failure in a row
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from queueing.autoscaler.backoff import Backoff
from queueing.worker import name_prefix

logger = logging.getLogger("queueing.autoscaler")

# A handler that hangs ends its process within a lease, and after one others have taken over what it held. Who stands
# still for three was stopped from outside, or is in a place that no watchdog watches.
FROZEN_LEASES = 3.0


class Child(Protocol):
    """A consumer process. Ending it by `leave` lets it finish its batch."""

    @property
    def pid(self) -> int: ...

    def exit_code(self) -> int | None:
        """Negative: killed by that signal. None while it runs."""

    def leave(self) -> None:
        """It may be said twice."""

    def kill(self) -> None: ...


class Nursery(Protocol):
    def start(self, group: str) -> Child:
        """
        Raises:
            OSError: the machine has no room for another.
        """


@dataclass(slots=True)
class Kept:
    """beat: what its liveness counters said when they last changed, and changed_at: when that was."""

    child: Child
    started_at: float
    changed_at: float
    leaving: bool = False
    beat: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Crew:
    """Call `aim` when another number is wanted, `observe` with each look at the beats, and `turn` after both, and
    whenever a child may have ended.

    lease_s: of the group. tell: what is to stand on the timeline. clock: seconds, monotonic.
    """

    group: str
    nursery: Nursery
    lease_s: float
    tell: Callable[[str], None]
    clock: Callable[[], float]
    backoff: Backoff = field(default_factory=Backoff)
    frozen_leases: float = FROZEN_LEASES
    kept: list[Kept] = field(default_factory=list)
    wanted: int = 0

    @property
    def actual(self) -> int:
        return sum(not one.leaving for one in self.kept)

    def aim(self, consumers: int, drains: Collection[str] = ()) -> None:
        """drains: names of consumers that shall leave whatever number is wanted."""
        self.wanted = consumers
        for one in self.kept:
            if any(map(self._is(one), drains)):
                self._leave(one)

    def own(self, names: Collection[str]) -> tuple[str, ...]:
        """Those of these consumers that are children of this supervisor."""
        return tuple(name for name in names if any(self._is(one)(name) for one in self.kept))

    def observe(self, beats: Mapping[str, str]) -> None:
        """beats: consumer → its liveness counter, of the whole group."""
        now = self.clock()
        for one in self.kept:
            mine = {name: beat for name, beat in beats.items() if self._is(one)(name)}
            if mine != one.beat:
                one.beat, one.changed_at = mine, now
            elif now - one.changed_at > self.frozen_leases * self.lease_s:
                stood_s = now - one.changed_at
                self.tell(f"consumer {one.child.pid} stood still for {stood_s:.0f} s and was killed")
                one.changed_at = now
                one.child.kill()

    def know_nothing(self) -> None:
        """The beats could not be read. Nobody is judged by what was not seen."""
        now = self.clock()
        for one in self.kept:
            one.changed_at = now

    def turn(self) -> None:
        for one in list(self.kept):
            code = one.child.exit_code()
            if code is not None:
                self.kept.remove(one)
                self._has_ended(one, code)
        surplus = self.actual - self.wanted
        for one in reversed(self.kept):  # the youngest first
            if surplus > 0 and not one.leaving:
                self._leave(one)
                surplus -= 1
        while self.actual < self.wanted and self.clock() >= self.backoff.until:
            if not self._start():
                return

    @property
    def due_in_s(self) -> float:
        """Seconds until `turn` has something to start; infinite when it has not."""
        return max(0.0, self.backoff.until - self.clock()) if self.actual < self.wanted else float("inf")

    def _is(self, one: Kept) -> Callable[[str], bool]:
        prefix = name_prefix(self.group, one.child.pid)
        return lambda name: name.startswith(prefix)

    def _start(self) -> bool:
        now = self.clock()
        try:
            child = self.nursery.start(self.group)
        except OSError as error:
            wait_s = self.backoff.failed(started_at=now, now=now)
            self.tell(f"no consumer could be started ({error}); tried again in {wait_s:.1f} s")
            return False
        self.kept.append(Kept(child, now, now))
        return True

    def _leave(self, one: Kept) -> None:
        one.leaving = True
        one.child.leave()

    def _has_ended(self, one: Kept, code: int) -> None:
        now = self.clock()
        if one.leaving:
            if code != 0:
                logger.warning("%s: consumer %d was to leave and ended (%s)", self.group, one.child.pid, how(code))
            return
        wait_s = self.backoff.failed(started_at=one.started_at, now=now)
        row = f", {self.backoff.in_a_row} in a row" if self.backoff.in_a_row > 1 else ""
        ended = f"consumer {one.child.pid} ended after {now - one.started_at:.0f} s ({how(code)}{row})"
        self.tell(f"{ended}; another starts in {wait_s:.1f} s")


def how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
