"""Where a group stands in a log, and how much of the log is kept."""

from __future__ import annotations

from collections.abc import Sequence

from queueing.broker import END, Position
from queueing.brokers.memory.growing import Growing


class Retaining(Growing):
    def start_at(self, group: str, start: Position) -> None:
        # A moment, so that a partition that appears later is read from its first entry.
        self._starts.setdefault(group, int(self.clock() * 1000) if start == END else start)

    def seek(self, group: str, topic: str, partition: str, to: Position, *, dry_run: bool = False) -> int:
        index = self._index((topic, partition), to)
        if not dry_run:
            self._begin(group, topic, partition)
            self._noting(group, topic, partition).seek(index)
            self._close(group, topic, partition, index)
        return self._appended((topic, partition)) - index

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        declared, total = self.topics[topic], 0
        for where in [where for where in self._logs if where[0] == topic]:
            views = {group: view for (*place, group), view in self._groups.items() if tuple(place) == where}
            if not views or set(groups) - set(views):
                continue
            floor = min(min([view.next_index, *map(int, view.pending)]) for view in views.values())
            first, stamps = self._trimmed.get(where, 0), self._stamps[where]
            kept_s, most = declared.retention_s, declared.retention_messages
            old = 0 if kept_s is None else sum(at < self.clock() - kept_s for at in stamps)
            surplus = 0 if most is None else len(stamps) - most
            gone = max(0, min(floor - first, max(old, surplus)))
            del self._logs[where][:gone], self._stamps[where][:gone]
            self._trimmed[where] = first + gone
            total += gone
        return total
