"""Reading: new entries, retried messages that are due, and what a dead consumer held."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from queueing.broker import Where
from queueing.brokers.memory.growing import Growing
from queueing.brokers.memory.state import GroupView, Held
from queueing.message import Delivery


class Consuming(Growing):
    def read(
        self,
        group: str,
        consumer: str,
        topics: Sequence[str],
        limit: int,
        wait_s: float,
        without: Collection[Where] = (),
    ) -> list[Delivery]:
        found: list[Delivery] = []
        for topic, partition, view in self._views(group, topics):
            if (topic, partition) not in without:
                found += self._next_of(view, (topic, partition), consumer, limit)
        if not found and wait_s:
            self.sleep(wait_s)
        return found

    def read_one(self, group: str, consumer: str, where: Where, limit: int) -> list[Delivery]:
        if not self._is_open(group, *where):
            return []
        return self._next_of(self._begin(group, *where), where, consumer, limit)

    def _next_of(self, view: GroupView, where: Where, consumer: str, limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        log, first = self._logs.get(where, []), self._trimmed.get(where, 0)
        while len(found) < limit and view.next_index < first + len(log):
            delivery = Delivery(log[view.next_index - first], where[1], str(view.next_index))
            view.pending[delivery.offset] = Held(delivery, consumer)
            view.next_index += 1
            found.append(delivery)
        return found

    def others_are_live(self, group: str, within_s: float) -> bool:
        for (topic, partition, other), view in self._groups.items():
            stamps = self._stamps.get((topic, partition), [])
            if other == group or not stamps or stamps[-1] < self.clock() - within_s:
                continue
            last_read = view.next_index - 1 - self._trimmed.get((topic, partition), 0)
            if last_read >= 0 and stamps[last_read] >= stamps[-1] - within_s:
                return True
        return False

    def read_due(self, group: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        for _, _, view in self._views(group, topics):
            due = sorted((at, id_) for id_, (at, _) in view.delayed.items() if at <= self.clock())
            for _, id_ in due[: limit - len(found)]:
                _, waiting = view.delayed.pop(id_)
                view.working[id_] = Held(waiting, consumer)
                found.append(replace(waiting, attempt=waiting.attempt + 1))
        return found

    def take_over(self, group: str, dead: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        for _, _, view in self._views(group, topics):
            for id_ in [id_ for id_, held in view.working.items() if held.consumer == dead]:
                view.delayed[id_] = (self.clock(), view.working.pop(id_).delivery)
            for held in [held for held in view.pending.values() if held.consumer == dead]:
                if len(found) >= limit:
                    return found
                begun = held.delivery.attempt
                held.consumer = consumer
                found.append(replace(held.delivery, attempt=begun + 1, alone=True))
        self._beats.get(group, {}).pop(dead, None)
        self._abouts.get(group, {}).pop(dead, None)
        return found
