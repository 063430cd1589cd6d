"""What one group should have now, as this supervisor sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from queueing.autoscaler.history import History, Totals
from queueing.autoscaler.limits import Limits
from queueing.autoscaler.policy import Changed, Decision, decide
from queueing.autoscaler.records import Hold, State
from queueing.autoscaler.trend import Sample
from queueing.capping import Cap


class Seen(NamedTuple):
    """A group at this moment. beats: consumer → its liveness counter."""

    limits: Limits
    topics: dict[str, Totals]
    caps: dict[str, Cap | None]
    paused: bool
    state: State
    beats: dict[str, str]


@dataclass(slots=True)
class Brain:
    """Of one group. A change is as old as this supervisor knows of it: no clock is compared with another's."""

    history: History = field(default_factory=History)
    _serial: int | None = field(default=None, init=False)
    _last: Changed | None = field(default=None, init=False)

    def think(self, seen: Seen, *, now_s: float, actual: int) -> tuple[Decision, Sequence[Sample]]:
        """actual: consumers at work, of all supervisors."""
        state = seen.state
        samples = self.history.note(now_s, seen.topics, caps=seen.caps, actual=actual, paused=seen.paused)
        desired = self.desired(seen)
        if state.serial != self._serial:
            known = self._serial is not None or state.serial > 0
            self._last = Changed(now_s, state.direction, desired, state.acked_per_s) if known else None
            self._serial = state.serial
        if state.hold:
            return _held(state.hold), samples
        if state.kind == "held":
            return Decision(desired, "hold", "released", "nobody holds the number any more"), samples
        return decide(samples, desired=desired, limits=seen.limits, last=self._last), samples

    def desired(self, seen: Seen) -> int:
        """As it was decided last."""
        return seen.limits.least if seen.state.desired is None else seen.state.desired


def is_news(decision: Decision, state: State) -> bool:
    return decision.direction != "hold" or decision.kind != state.kind


def _held(hold: Hold) -> Decision:
    until = datetime.fromtimestamp(hold.until_ms / 1000, UTC)
    why = f": {hold.why}" if hold.why else ""
    return Decision(hold.consumers, "hold", "held", f"held at {hold.consumers} until {until:%H:%M:%S} UTC{why}")
