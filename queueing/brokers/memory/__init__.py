"""The queue in this process's memory: deterministic, with the caller's clock, and the same promises (but durability).

For simulations and for tests of handlers' choreography. State is one object per topic partition and group, written as
plainly as the promises read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from queueing.broker import GroupStats
from queueing.brokers.memory.capping import Capping
from queueing.brokers.memory.consuming import Consuming
from queueing.brokers.memory.dead import DeadLetters
from queueing.brokers.memory.in_order import InOrderSettling
from queueing.brokers.memory.liveness import Liveness
from queueing.brokers.memory.producing import Producing
from queueing.brokers.memory.retaining import Retaining
from queueing.brokers.memory.settling import Settling
from queueing.brokers.memory.state import Later
from queueing.series import LogTotals, Series, added_up, quiet, series_of

__all__ = ["MemoryBroker"]


class MemoryBroker(Producing, Consuming, Capping, Settling, DeadLetters, Liveness, Retaining, InOrderSettling):
    """See queueing.broker.Broker and queueing.leases.OrderedBroker for what each method promises."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"ordered"})

    def stats(self, groups: Mapping[str, Sequence[str]]) -> list[GroupStats]:
        rows = []
        for group, topics in groups.items():
            for topic, partition, view in self._views(group, topics, closed=True):
                log = self._logs.get((topic, partition), [])
                unacked = [int(offset) for offset in view.pending] + [view.next_index]
                first = self._trimmed.get((topic, partition), 0)
                oldest = min(unacked) - first
                age = self.clock() - self._stamps[topic, partition][oldest] if oldest < len(log) else 0.0
                rows.append(
                    GroupStats(
                        topic=topic,
                        partition=partition,
                        group=group,
                        appended=first + len(log),
                        acked=view.acked,
                        skipped=view.skipped,
                        done=view.done,
                        in_flight=len(view.pending) + len(view.working),
                        delayed=len(view.delayed),
                        dead=len(view.dead),
                        oldest_age_ms=int(age * 1000),
                        later=len(self._later.get((topic, partition), Later()).waiting),
                        trimmed=first,
                        kept=len(log),
                        parked=view.order.count(),
                        retried=view.retried,
                        buried=view.buried,
                        quarantined=sum(buried.letter.quarantined for buried in view.dead.values()),
                        purged=view.purged,
                        in_hands=Counter(h.consumer for h in (*view.pending.values(), *view.working.values())),
                        moved=view.moved,
                    )
                )
        return rows

    def series(self, group: str, topic: str, last_s: int) -> Series:
        now_s = int(self.clock())
        found = [
            series_of(
                log=self._histories.get((topic, partition), {}),
                group=view.history,
                now=(LogTotals(self._appended((topic, partition))), view.totals),
                now_s=now_s,
                last_s=last_s,
            )
            for _, partition, view in self._views(group, [topic])
        ]
        return added_up(found or [quiet(now_s=now_s, last_s=last_s)])
