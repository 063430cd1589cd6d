"""Appending messages, and making their partitions known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from queueing import keys
from queueing.brokers.envelope import to_arguments
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.errors import TopicFull, UnknownTopic
from queueing.message import Message

CHUNK = 500  # messages a script; a longer one would keep everybody else waiting


class Producing(RedisBase):
    _announced: frozenset[tuple[str, str]] = frozenset()

    @speaks_broker
    def produce(self, messages: Sequence[Message]) -> None:
        for (name, partition), batch in self._by_partition(messages):
            topic = self.topics[name]
            if (name, partition) not in self._announced:
                self.ensure_partition(name, partition)
                self._announced |= {(name, partition)}
            arguments = [topic.capacity, len(batch)]
            for message in batch:
                arguments += to_arguments(message)
            reply = self._scripts["produce"](
                keys=[
                    keys.log(name, partition),
                    keys.meta(name, partition),
                    keys.counters(name, partition, topic.gate_group or "-"),
                ],
                args=arguments,
            )
            if reply[0] == b"full":
                raise TopicFull(name, int(reply[1]), topic.capacity, retry_after=1.0)

    def _by_partition(self, messages: Sequence[Message]) -> Iterable[tuple[tuple[str, str], list[Message]]]:
        groups: dict[tuple[str, str], list[Message]] = {}
        for message in messages:
            topic = self.topics.get(message.topic)
            if topic is None:
                raise UnknownTopic(f"topic {message.topic!r} is not declared")
            groups.setdefault((message.topic, topic.partition_of(message.key)), []).append(message)
        for where, batch in groups.items():
            for start in range(0, len(batch), CHUNK):
                yield where, batch[start : start + CHUNK]

    @speaks_broker
    def ensure_partition(self, topic: str, partition: str) -> None:
        if topic not in self.topics:
            raise UnknownTopic(f"topic {topic!r} is not declared")
        self.redis.sadd(keys.partitions(topic), partition)
        self.redis.sadd(keys.TOPICS, topic)
