"""Appending messages, keeping delayed ones until they are due, and making their partitions known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from queueing import keys
from queueing.brokers.envelope import to_arguments, to_draft
from queueing.brokers.redis_streams.base import pairs, speaks_broker
from queueing.brokers.redis_streams.sorting import Sorting
from queueing.errors import BrokerUnavailable, RanBackwards, TopicFull, UnknownTopic
from queueing.layout import Layout
from queueing.message import Message

WAIT_MS = 1_000  # for replicas
CHUNK = 500  # messages a script; a longer one would keep everybody else waiting
TRIES = 64  # each teaches us of one split or more

Place = tuple[str, str]  # topic, partition


class Producing(Sorting):
    _announced: frozenset[Place] = frozenset()
    _layouts: dict[str, Layout]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._layouts = {}

    @speaks_broker
    def produce(self, messages: Sequence[Message]) -> None:
        delayed = [message for message in messages if message.deliver_at_ms]
        at_once = [message for message in messages if not message.deliver_at_ms] if delayed else messages
        full = self._send(at_once, self._append)
        self._send(delayed, self._schedule)
        if full:
            raise full

    def _send(
        self, messages: Sequence[Message], put: Callable[[Place, list[Message], int], int | None]
    ) -> TopicFull | None:
        """Those that a partition refuses, as it was split since we last heard of it, go to where their keys are. One
        that is full keeps nobody from the others; what it refused is in the error that is returned."""
        full: TopicFull | None = None
        for _ in range(TRIES):
            refused: list[Message] = []
            for (topic, partition), batch in self._by_partition(messages).items():
                self._announce(topic, partition)
                grows = not self.topics[topic].dynamic
                believed = self._layout(topic).generation_of(int(partition)) if grows else 0
                size = min(CHUNK, self.topics[topic].capacity or CHUNK)  # more than that would never fit
                for start in range(0, len(batch), size):
                    try:
                        generation = put((topic, partition), batch[start : start + size], believed)
                    except TopicFull as error:
                        full = full or error
                        full.refused += batch[start:]
                        break
                    if generation is not None:
                        self._learn(topic, partition, generation, believed)
                        refused += batch[start:]  # all the rest of it: messages of one key keep their order
                        break
            if not refused:
                return full
            messages = refused
        raise BrokerUnavailable(f"no partition of {messages[0].topic} takes the key {messages[0].key!r}")

    def _learn(self, topic: str, partition: str, generation: int, believed: int) -> None:
        if generation > believed:
            self._layout(topic).learn(partition, generation)
        else:  # Redis came back empty, or as it was before
            self._layouts.pop(topic, None)
            self._announced = frozenset()

    def _append(self, where: Place, batch: list[Message], generation: int) -> int | None:
        """None, or the partition's generation when it is another one than we believe."""
        topic = self.topics[where[0]]
        arguments = [topic.capacity, len(batch), generation]
        for message in batch:
            arguments += to_arguments(message)
        gate = (*where, topic.gate_group or "-")
        reply = self._run_safely(
            "produce",
            keys=[
                keys.log(*where),
                keys.meta(*where),
                keys.log_series(*where),
                keys.counters(*gate),
                keys.series(*gate),
            ],
            args=arguments,
        )
        if reply[0] == b"full":
            raise TopicFull(topic.name, int(reply[1]), topic.capacity, acked_per_s=float(reply[2]))
        return self._generation(where, reply)

    def _schedule(self, where: Place, batch: list[Message], generation: int) -> int | None:
        reply = self._run_safely(
            "schedule",
            keys=[keys.later(*where), keys.drafts(*where), keys.meta(*where)],
            args=[generation, *(argument for message in batch for argument in to_draft(message))],
        )
        return self._generation(where, reply)

    def _generation(self, where: Place, reply: Any) -> int | None:
        """The partition's, when it is another one than we believe."""
        if reply[0] == b"began":  # maybe not for the first time: Redis was emptied since we made it known
            self.ensure_partition(*where)
        return int(reply[1]) if reply[0] == b"moved" else None

    @speaks_broker
    def promote(self, topics: Sequence[str]) -> float | None:
        where = [(topic, partition) for topic, found in self._partitions(topics) for partition in found]
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for place in where:
                pipe.zrange(keys.later(*place), 0, 0, withscores=True)
                pipe.hexists(keys.meta(*place), "splitting")
            (seconds, microseconds), *firsts = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        next_ms = float("inf")
        for place, (first, splitting) in zip(where, pairs(firsts), strict=True):
            if splitting:
                self._sort_later(place)
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
        before: Sequence[tuple[str, str]] = ()
        while True:
            where = [(topic, partition) for topic, found in self._partitions(list(self.topics)) for partition in found]
            was_there, cancelled = self._cancel(message_id, where)
            if cancelled:
                return True
            # While a topic grows it may have moved to a partition that was looked at before, or made since.
            if not was_there and where == before:
                return False
            before = where

    def _cancel(self, message_id: str, where: Sequence[tuple[str, str]]) -> tuple[bool, bool]:
        """Whether one of these partitions had it, or was just sending it on; and whether it is cancelled now."""
        with self.redis.pipeline(transaction=False) as pipe:
            for place in where:
                pipe.zscore(keys.later(*place), message_id)
                pipe.hexists(keys.later_leaving(*place), message_id)
            replies = pipe.execute()
        was_there = False
        for place, (score, leaving) in zip(where, pairs(replies), strict=True):
            if score is None and not leaving:
                continue
            was_there = True
            found = self._scripts["cancel"](
                keys=[keys.later(*place), keys.drafts(*place), keys.meta(*place), keys.later_leaving(*place)],
                args=[message_id],
            )
            if found < 0:  # it will be found where it goes
                self._move_later(place)
            if found > 0:
                return True, True
        return was_there, False

    def _layout(self, topic: str) -> Layout:
        layout = self._layouts.get(topic)
        if layout is None:
            self.redis.hsetnx(keys.layout(topic), "first", self.topics[topic].partitions)
            layout = self._layouts[topic] = Layout(int(self.redis.hget(keys.layout(topic), "first")))
        return layout

    def _run_safely(self, name: str, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """A script that appends. With `replicas_to_ack` WAIT follows on the same connection, as it covers no other's.

        Raises:
            BrokerUnavailable: too few replicas have it in time; it is *unknown*, produce it again.
        """
        if not self.replicas_to_ack:
            return self._scripts[name](keys=keys, args=args)
        with self.redis.pipeline(transaction=False) as pipe:
            self._scripts[name](keys=keys, args=args, client=pipe)
            pipe.execute_command("WAIT", self.replicas_to_ack, WAIT_MS)
            reply, on = pipe.execute()
        if on < self.replicas_to_ack:
            raise BrokerUnavailable(f"{on} of {self.replicas_to_ack} replicas have it")
        return reply

    @speaks_broker
    def tide(self, known: int) -> int:
        mark = int(self._scripts["tide"](keys=[keys.TIDE], args=[known]))
        if mark < 0:
            raise RanBackwards
        return mark

    def _announce(self, topic: str, partition: str) -> None:
        if (topic, partition) not in self._announced:
            self.ensure_partition(topic, partition)
            self._announced |= {(topic, partition)}

    def _by_partition(self, messages: Sequence[Message]) -> dict[Place, list[Message]]:
        groups: dict[Place, list[Message]] = {}
        for message in messages:
            name = message.topic
            topic = self.topics.get(name)
            if topic is None:
                raise UnknownTopic(f"topic {name!r} is not declared")
            partition = message.key if topic.dynamic else self._layout(name).partition_of(message.key)
            groups.setdefault((name, partition), []).append(message)
        return groups

    @speaks_broker
    def ensure_partition(self, topic: str, partition: str) -> None:
        if topic not in self.topics:
            raise UnknownTopic(f"topic {topic!r} is not declared")
        self.redis.sadd(keys.partitions(topic), partition)
        self.redis.sadd(keys.TOPICS, topic)
        self._looked.clear()
