"""Growth: splitting a partition, and opening what was split from it to one group after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from queueing.brokers.memory.base import MemoryBase
from queueing.brokers.memory.state import GroupView
from queueing.errors import CannotGrow, UnknownTopic
from queueing.layout import Split, split_that_made, splits
from queueing.leases import Token
from queueing.message import Delivery


class Growing(MemoryBase):
    def grow(self, topic: str, partitions: int) -> None:
        for split in self._splits(topic, partitions):
            self._split(topic, split)

    def _splits(self, topic: str, partitions: int) -> list[Split]:
        declared = self.topics.get(topic)
        if declared is None:
            raise UnknownTopic(f"topic {topic!r} is not declared")
        if declared.dynamic:
            raise CannotGrow(f"topic {topic!r} is dynamic: its partitions are its keys")
        try:
            return list(splits(declared.partitions, partitions))
        except ValueError as error:
            raise CannotGrow(f"topic {topic!r}: {error}") from error

    def _split(self, topic: str, split: Split) -> None:
        layout = self._layout(topic)
        if layout.generation_of(int(split.partition)) >= split.generation:
            return
        for partition in (split.partition, split.child):
            self.ensure_partition(topic, partition)
        layout.learn(split.partition, split.generation)
        self._switches[topic, split.child] = self._appended((topic, split.partition))
        here, there = self._later[topic, split.partition], self._later[topic, split.child]
        for message in [m for m in here.waiting.values() if split.moves(m.key, layout.first)]:
            there.waiting[message.id] = here.waiting.pop(message.id)
            here.moved -= 1
            there.moved += 1

    def _views(self, group: str, topics: Sequence[str], *, closed: bool = False) -> list[tuple[str, str, GroupView]]:
        """What the group may read; with `closed`, every partition."""
        return [
            (topic, partition, self._begin(group, topic, partition))
            for topic in topics
            for partition in self.partitions(topic)
            if closed or self._is_open(group, topic, partition)
        ]

    def _is_open(self, group: str, topic: str, partition: str) -> bool:
        """Has the group settled all that the partition this one was split from had before?"""
        place = (topic, partition, group)
        first = self.topics[topic].partitions
        split = None if self.topics[topic].dynamic else split_that_made(partition, first)
        if split is None or place in self._opened:
            return True
        switch = self._switches.get((topic, partition))
        if switch is None or not self._is_open(group, topic, split.partition):
            return False
        here = self._begin(group, topic, split.partition)
        if min([here.next_index, *map(int, here.pending)]) < switch:
            return False
        if any(split.moves(held.delivery.message.key, first) for held in here.working.values()):
            return False
        self._move(here, self._begin(group, topic, partition), split, first, switch)
        self._opened.add(place)
        return True

    def _move(self, here: GroupView, there: GroupView, split: Split, first: int, switch: int) -> None:
        """What the group holds of the keys that moved."""

        def moved(deliveries: Iterable[Delivery]) -> list[Delivery]:
            # Its offset is one of the old log: below all those of the new one, so that it comes first.
            return [
                replace(d, partition=split.child, offset=str(int(d.offset) - switch))
                for d in deliveries
                if split.moves(d.message.key, first)
            ]

        for delivery in moved(delivery for _, delivery in here.delayed.values()):
            due, _ = here.delayed.pop(delivery.message.id)
            if self._arrives(here, there, delivery):
                there.delayed[delivery.message.id] = (due, delivery)
        for buried in [buried for buried in here.dead.values() if split.moves(buried.letter.key, first)]:
            del here.dead[buried.letter.id]
            [delivery] = moved([buried.letter.delivery(0)])
            if self._arrives(here, there, delivery):
                letter = replace(buried.letter, partition=delivery.partition, offset=delivery.offset)
                there.dead[delivery.message.id] = dataclasses.replace(buried, letter=letter)
        for key in [key for key in here.order.parked if split.moves(key, first)]:
            for delivery in moved(here.order.parked.pop(key)):
                if self._arrives(here, there, delivery):
                    there.order.park(delivery)
        for key in [key for key in here.order.heads if split.moves(key, first)]:
            there.order.heads.setdefault(key, here.order.heads.pop(key))

    @staticmethod
    def _arrives(here: GroupView, there: GroupView, delivery: Delivery) -> bool:
        first_failed_at_ms = here.first_failed_at_ms.pop(delivery.message.id, None)
        if first_failed_at_ms is not None:
            there.first_failed_at_ms.setdefault(delivery.message.id, first_failed_at_ms)
        here.moved -= 1
        there.moved += 1
        return not there.merges(delivery.message.id, delivery.message.key)

    def _close(self, group: str, topic: str, partition: str, index: int) -> None:
        """What was split from a partition beyond this entry waits for it again, and so on."""
        first = self.topics[topic].partitions
        for child in [] if self.topics[topic].dynamic else self.partitions(topic):
            split = split_that_made(child, first)
            switch = self._switches.get((topic, child))
            if split is None or split.partition != partition or switch is None or switch <= index:
                continue
            self._opened.discard((topic, child, group))
            order = self._begin(group, topic, child).order
            order.owner, order.token = "", Token(order.token.epoch, order.token.n + 1)
            self._close(group, topic, child, -1)
