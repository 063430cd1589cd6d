"""Appending messages, and keeping delayed ones until they are due."""

from __future__ import annotations

from collections.abc import Sequence

from queueing.brokers.memory.growing import Growing
from queueing.brokers.memory.history import History
from queueing.brokers.memory.state import GroupView
from queueing.errors import RanBackwards, TopicFull, UnknownTopic
from queueing.message import Message
from queueing.series import LogTotals
from queueing.topic import Topic


class Producing(Growing):
    def produce(self, messages: Sequence[Message]) -> None:
        batches: dict[tuple[str, str], list[Message]] = {}
        for message in messages:
            topic = self.topics.get(message.topic)
            if topic is None:
                raise UnknownTopic(f"topic {message.topic!r} is not declared")
            partition = message.key if topic.dynamic else self._layout(topic.name).partition_of(message.key)
            where = (message.topic, partition)
            batches.setdefault(where, []).append(message)
        full: TopicFull | None = None
        for (name, partition), batch in batches.items():
            at_once = [message for message in batch if not message.deliver_at_ms]
            self.ensure_partition(name, partition)
            try:
                self._check_capacity(self.topics[name], partition, len(at_once))
                self._append((name, partition), at_once)
            except TopicFull as error:
                full = full or error
                full.refused += at_once
            later = self._later[name, partition]
            for message in batch:
                if message.deliver_at_ms and message.id not in later.waiting:
                    later.waiting[message.id] = message
                    later.scheduled += 1
        if full:
            raise full

    def tide(self, known: int) -> int:
        if self._tide < known:
            raise RanBackwards
        self._tide += 1
        return self._tide

    def _append(self, where: tuple[str, str], messages: Sequence[Message]) -> None:
        if messages:
            history = self._histories.setdefault(where, History())
            history.note(int(self.clock()), LogTotals(self._appended(where)))
        self._logs[where] += messages
        self._stamps[where] += [self.clock()] * len(messages)

    def promote(self, topics: Sequence[str]) -> float | None:
        now_ms = self.clock() * 1000
        for where, later in self._later.items():
            if where[0] not in topics:
                continue
            due = sorted(
                (message.deliver_at_ms, message.id) for message in later.waiting.values()
                if message.deliver_at_ms <= now_ms
            )  # fmt: skip
            self._append(where, [later.waiting.pop(id_) for _, id_ in due])
            later.promoted += len(due)
        left = [
            message.deliver_at_ms
            for (topic, _), later in self._later.items()
            for message in later.waiting.values()
            if topic in topics
        ]
        return (min(left) - now_ms) / 1000 if left else None

    def cancel(self, message_id: str) -> bool:
        for later in self._later.values():
            if later.waiting.pop(message_id, None):
                later.cancelled += 1
                return True
        return False

    def _check_capacity(self, topic: Topic, partition: str, more: int) -> None:
        if not topic.capacity or not more:
            return
        gate = self._groups.get((topic.name, partition, topic.gate_group), GroupView())
        lag = self._appended((topic.name, partition)) - gate.acked - gate.skipped
        if lag + more > topic.capacity:
            raise TopicFull(topic.name, lag, topic.capacity, acked_per_s=gate.acked_a_second(self.clock()))
