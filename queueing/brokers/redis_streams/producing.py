"""Appending messages, keeping delayed ones until they are due, and making their partitions known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from queueing import keys
from queueing.brokers.envelope import to_arguments, to_draft
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.errors import TopicFull, UnknownTopic
from queueing.message import Message

CHUNK = 500  # messages a script; a longer one would keep everybody else waiting


class Producing(RedisBase):
    _announced: frozenset[tuple[str, str]] = frozenset()

    @speaks_broker
    def produce(self, messages: Sequence[Message]) -> None:
        delayed = [message for message in messages if message.deliver_at_ms]
        at_once = [message for message in messages if not message.deliver_at_ms] if delayed else messages
        for (name, partition), batch in self._by_partition(at_once):
            topic = self.topics[name]
            self._announce(name, partition)
            arguments = [topic.capacity, len(batch)]
            for message in batch:
                arguments += to_arguments(message)
            reply = self._scripts["produce"](
                keys=[
                    keys.log(name, partition),
                    keys.meta(name, partition),
                    keys.log_series(name, partition),
                    keys.counters(name, partition, topic.gate_group or "-"),
                    keys.series(name, partition, topic.gate_group or "-"),
                ],
                args=arguments,
            )
            if reply[0] == b"full":
                raise TopicFull(name, int(reply[1]), topic.capacity, acked_per_s=float(reply[2]))
        for where, batch in self._by_partition(delayed):
            self._announce(*where)
            self._scripts["schedule"](
                keys=[keys.later(*where), keys.drafts(*where), keys.meta(*where)],
                args=[argument for message in batch for argument in to_draft(message)],
            )

    @speaks_broker
    def promote(self, topics: Sequence[str]) -> float | None:
        where = [(topic, partition) for topic, found in self._partitions(topics) for partition in found]
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for place in where:
                pipe.zrange(keys.later(*place), 0, 0, withscores=True)
            (seconds, microseconds), *firsts = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        next_ms = float("inf")
        for place, first in zip(where, firsts, strict=True):
            if not first:
                continue
            due_ms = first[0][1]
            if due_ms <= now_ms and self._promote(place) < CHUNK:
                later = self.redis.zrange(keys.later(*place), 0, 0, withscores=True)
                due_ms = later[0][1] if later else float("inf")
            next_ms = min(next_ms, due_ms)
        return None if next_ms == float("inf") else max(0.0, (next_ms - now_ms) / 1000)

    def _promote(self, where: tuple[str, str]) -> int:
        of_log = (keys.log, keys.meta, keys.later, keys.drafts, keys.log_series)
        return int(self._scripts["promote"](keys=[key(*where) for key in of_log], args=[CHUNK]))

    @speaks_broker
    def cancel(self, message_id: str) -> bool:
        where = [(topic, partition) for topic, found in self._partitions(list(self.topics)) for partition in found]
        with self.redis.pipeline(transaction=False) as pipe:
            for place in where:
                pipe.zscore(keys.later(*place), message_id)
            scores = pipe.execute()
        return any(
            self._scripts["cancel"](keys=[keys.later(*p), keys.drafts(*p), keys.meta(*p)], args=[message_id])
            for p, score in zip(where, scores, strict=True)
            if score is not None
        )

    def _announce(self, topic: str, partition: str) -> None:
        if (topic, partition) not in self._announced:
            self.ensure_partition(topic, partition)
            self._announced |= {(topic, partition)}

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
        self._looked.clear()
