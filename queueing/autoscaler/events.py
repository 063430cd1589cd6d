"""What a supervisor has to tell of one group, with the numbers it knew then."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.autoscaler.policy import Decision
from queueing.autoscaler.records import Event
from queueing.autoscaler.trend import Sample, slope_per_s

logger = logging.getLogger("queueing.autoscaler")
_NOTHING_SEEN = Sample(0.0, 0, 0.0, 0.0, 0)


@dataclass(slots=True)
class Teller:
    """reason: of the last decision."""

    group: str
    supervisor: str
    reason: str = ""
    _sample: Sample = _NOTHING_SEEN
    _slope_per_s: float = 0.0
    _desired: int = field(default=0, init=False)

    def note(self, decision: Decision, samples: Sequence[Sample], now_ms: int) -> Event:
        """The event this decision would be."""
        self._sample, self._slope_per_s = samples[-1], slope_per_s(samples)
        self._desired, self.reason = decision.desired, decision.reason
        return self._event(decision.direction, decision.reason, now_ms)

    def replaced(self, what: str) -> Event:
        """A child that ended or was ended. It is told while Redis is away, too, so by this machine's clock."""
        return self._event("replaced", what, round(time.time() * 1000))

    def log(self, event: Event) -> None:
        """One line for people, and the fields for whoever collects them."""
        fields = {
            "group": self.group,
            "direction": event.direction,
            "desired": event.desired,
            "actual": event.actual,
            "lag": event.lag,
            "slope_per_s": event.slope_per_s,
            "acked_per_s": event.acked_per_s,
            "produced_per_s": event.produced_per_s,
        }
        level = logging.WARNING if event.direction == "replaced" else logging.INFO
        text = "%s: %s, %d wanted, %d at work: %s"
        logger.log(level, text, self.group, event.direction, event.desired, event.actual, event.reason, extra=fields)

    def _event(self, direction: str, reason: str, at_ms: int) -> Event:
        sample = self._sample
        return Event(
            id=str(uuid.uuid4()),
            at_ms=at_ms,
            group=self.group,
            direction=direction,
            lag=sample.lag,
            slope_per_s=round(self._slope_per_s, 1),
            acked_per_s=round(sample.acked_per_s, 1),
            produced_per_s=round(sample.produced_per_s, 1),
            cap=sample.cap,
            desired=self._desired,
            actual=sample.actual,
            reason=reason,
            supervisor=self.supervisor,
        )
