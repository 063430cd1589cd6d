"""Reading: new entries, retried messages that are due, and what a dead consumer held."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from queueing.brokers.memory.base import MemoryBase
from queueing.brokers.memory.state import Held
from queueing.message import Delivery


class Consuming(MemoryBase):
    def read(self, group: str, consumer: str, topics: Sequence[str], limit: int, wait_s: float) -> list[Delivery]:
        found: list[Delivery] = []
        for topic, partition, view in self._views(group, topics):
            log, first = self._logs.get((topic, partition), []), self._trimmed.get((topic, partition), 0)
            stop = view.next_index + limit
            while view.next_index < min(first + len(log), stop):
                delivery = Delivery(log[view.next_index - first], partition, str(view.next_index))
                view.pending[delivery.offset] = Held(delivery, consumer)
                view.next_index += 1
                found.append(delivery)
        if not found and wait_s:
            self.sleep(wait_s)
        return found

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
        return found
