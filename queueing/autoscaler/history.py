"""A group's last minutes: totals as they are read become samples with rates."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from queueing.autoscaler.trend import Sample
from queueing.capping import Cap

KEPT_S = 300.0
RATE_OVER_S = 1.8  # at least: totals a second apart make a nervous rate


class Totals(NamedTuple):
    """Of one topic, as one group sees it: messages ever produced for it, and ever acknowledged."""

    produced: int
    acked: int

    @property
    def lag(self) -> int:
        return self.produced - self.acked


class _Noted(NamedTuple):
    at_s: float
    topics: Mapping[str, Totals]


@dataclass(slots=True)
class History:
    samples: deque[Sample] = field(default_factory=deque)
    _noted: deque[_Noted] = field(default_factory=deque)

    def note(
        self,
        at_s: float,
        topics: Mapping[str, Totals],
        *,
        caps: Mapping[str, Cap | None],
        actual: int,
        paused: bool,
    ) -> Sequence[Sample]:
        """Add a moment. Returns the samples of the last minutes, this one last.

        caps: topic → what caps it. Counters that ran backwards (an emptied Redis, a group put elsewhere) begin anew.
        """
        if self._noted and any(
            _went_back(before, topics.get(topic)) for topic, before in self._noted[-1].topics.items()
        ):
            self._noted.clear()
            self.samples.clear()
        self._noted.append(_Noted(at_s, topics))
        while len(self._noted) > 2 and at_s - self._noted[1].at_s >= RATE_OVER_S:
            self._noted.popleft()
        cap, capped_per_s = self._bottleneck(topics, caps)
        self.samples.append(
            Sample(
                at_s=at_s,
                lag=sum(totals.lag for totals in topics.values()),
                produced_per_s=self._per_s("produced", topics),
                acked_per_s=self._per_s("acked", topics),
                actual=actual,
                cap=cap,
                capped_per_s=capped_per_s,
                paused=paused,
            )
        )
        while at_s - self.samples[0].at_s > KEPT_S:
            self.samples.popleft()
        return self.samples

    def _bottleneck(self, topics: Mapping[str, Totals], caps: Mapping[str, Cap | None]) -> tuple[float | None, float]:
        """The cap under which most of the lag waits, and how much a second went through it."""
        under: dict[Cap | None, list[str]] = defaultdict(list)
        for topic in topics:
            under[caps.get(topic)].append(topic)
        if not under:
            return None, 0.0
        cap = max(under, key=lambda each: sum(topics[topic].lag for topic in under[each]))
        return (None, 0.0) if cap is None else (cap.rate, self._per_s("acked", under[cap]))

    def _per_s(self, what: Literal["produced", "acked"], topics: Sequence[str] | Mapping[str, Totals]) -> float:
        first, last = self._noted[0], self._noted[-1]
        if last.at_s <= first.at_s:
            return 0.0
        more: int = sum(
            getattr(last.topics[topic], what) - getattr(first.topics[topic], what)
            for topic in topics
            if topic in first.topics
        )
        return max(0.0, more / (last.at_s - first.at_s))


def _went_back(before: Totals, now: Totals | None) -> bool:
    return now is None or now.produced < before.produced or now.acked < before.acked
