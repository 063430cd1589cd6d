"""The queue on Redis Streams (Redis >= 7.0 or Valkey), by commands of 7.0 only.

What Redis does not do by itself is done here: owner checks on every settlement, counters of our own, retries and dead
letters per group. Never MAXLEN on XADD, XDEL, or XGROUP DELCONSUMER with pending entries: each loses messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from queueing import keys
from queueing.broker import SAVED_UP_S, Failure, GroupStats
from queueing.brokers.envelope import Parked, from_fields, from_json, to_arguments, to_json
from queueing.brokers.lua import load
from queueing.brokers.redis_stats import read_stats
from queueing.errors import BrokerUnavailable, TopicFull, UnknownTopic
from queueing.message import Delivery, Message
from queueing.topic import Topic

PRODUCE_CHUNK = 500
SOCKET_TIMEOUT_S = 5.0

P = ParamSpec("P")
R = TypeVar("R")


def _speaks_broker(
    method: Callable[Concatenate[RedisStreamsBroker, P], R],
) -> Callable[Concatenate[RedisStreamsBroker, P], R]:
    """Redis's errors become BrokerUnavailable: whoever uses a broker need not know which one it is."""

    @wraps(method)
    def wrapped(self: RedisStreamsBroker, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except RedisError as error:
            self._joined.clear()  # it may come back empty; groups are made again when they are missing
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    return wrapped


class RedisStreamsBroker:
    """See queueing.broker.Broker for what each method promises."""

    def __init__(self, topics: Mapping[str, Topic], *, url: str, socket_timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self.topics = topics
        # No automatic retry: a read whose reply was lost has delivered entries to us that we do not know of.
        # Any: redis-py's annotations give every command both its sync and its async result.
        self.redis: Any = redis.Redis.from_url(
            url, socket_timeout=socket_timeout_s, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        names = ("produce", "ack", "retry", "bury", "due", "take_over", "begin_attempt", "leave", "replay", "charge")
        self._scripts = {name: self.redis.register_script(load(name)) for name in names}
        self._joined: set[tuple[str, str, str]] = set()
        self._announced: set[tuple[str, str]] = set()

    # Producing

    @_speaks_broker
    def produce(self, messages: Sequence[Message]) -> None:
        for (name, partition), batch in self._by_partition(messages):
            topic = self.topics[name]
            if (name, partition) not in self._announced:
                self.ensure_partition(name, partition)
                self._announced.add((name, partition))
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
            for start in range(0, len(batch), PRODUCE_CHUNK):
                yield where, batch[start : start + PRODUCE_CHUNK]

    @_speaks_broker
    def ensure_partition(self, topic: str, partition: str) -> None:
        if topic not in self.topics:
            raise UnknownTopic(f"topic {topic!r} is not declared")
        self.redis.sadd(keys.partitions(topic), partition)
        self.redis.sadd(keys.TOPICS, topic)

    @_speaks_broker
    def partitions(self, topic: str) -> list[str]:
        return self._partitions([topic])[0][1]

    def _partitions(self, topics: Sequence[str]) -> list[tuple[str, list[str]]]:
        with self.redis.pipeline(transaction=False) as pipe:
            for topic in topics:
                pipe.smembers(keys.partitions(topic))
            found = pipe.execute()
        return [
            (topic, sorted({p.decode() for p in members} | set(self.topics[topic].static_partitions())))
            for topic, members in zip(topics, found, strict=True)
        ]

    # Liveness

    @_speaks_broker
    def beat(self, group: str, consumer: str) -> None:
        seconds, microseconds = self.redis.time()
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hincrby(keys.beats(group), consumer, 1)
            pipe.hset(keys.seen(group), consumer, str(seconds * 1000 + microseconds // 1000))
            pipe.execute()

    @_speaks_broker
    def beats(self, group: str) -> dict[str, str]:
        known: dict[str, str] = {name.decode(): "" for name in self._holders(group)}
        for name, beat in self.redis.hgetall(keys.beats(group)).items():
            known[name.decode()] = beat.decode()
        return known

    def _holders(self, group: str) -> set[bytes]:
        """Everybody Redis knows as a consumer of this group, also if they never beat."""
        names: set[bytes] = set()
        mine = [(t, p) for t, p, g in self._joined if g == group]
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition in mine:
                pipe.xinfo_consumers(keys.log(topic, partition), group)
                pipe.hvals(keys.holders(topic, partition, group))
            replies = pipe.execute()
        for consumers, holders in _pairs(replies):
            names.update(consumer["name"] for consumer in consumers)
            names.update(holders)
        return names

    # Consuming

    def _join(self, group: str, topics: Sequence[str]) -> list[tuple[str, str]]:
        """Every partition of these topics, with the group made where it was missing."""
        where = [(topic, p) for topic, partitions in self._partitions(topics) for p in partitions]
        for topic, partition in where:
            if (topic, partition, group) in self._joined:
                continue
            try:
                self.redis.xgroup_create(keys.log(topic, partition), group, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
            self._joined.add((topic, partition, group))
        return where

    @_speaks_broker
    def read(self, group: str, consumer: str, topics: Sequence[str], limit: int, wait_s: float) -> list[Delivery]:
        where = self._join(group, topics)
        if not where:
            time.sleep(wait_s)
            return []
        by_log = {keys.log(topic, partition).encode(): (topic, partition) for topic, partition in where}
        reply = self.redis.xreadgroup(
            group,
            consumer,
            dict.fromkeys(by_log, ">"),
            count=limit,
            block=max(1, int(wait_s * 1000)) if wait_s > 0 else None,
        )
        deliveries = []
        for log, entries in _entries(reply):
            topic, partition = by_log[log]
            deliveries += [
                Delivery(from_fields(topic, offset, fields), partition, offset.decode()) for offset, fields in entries
            ]
        return deliveries

    @_speaks_broker
    def read_due(self, group: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        where = self._join(group, topics)
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition in where:
                pipe.zcard(keys.retry(topic, partition, group))
            sizes = pipe.execute()
        found: list[Delivery] = []
        for (topic, partition), size in zip(where, sizes, strict=True):
            if not size or len(found) >= limit:
                continue
            replies = self._scripts["due"](
                keys=[
                    keys.retry(topic, partition, group),
                    keys.holders(topic, partition, group),
                    keys.waiting(topic, partition, group),
                ],
                args=[consumer, limit - len(found)],
            )
            found += [from_json(text).delivery(attempt) for _, text, attempt in replies]
        return found

    @_speaks_broker
    def charge(self, group: str, messages: int, rate: float) -> float:
        arguments = [rate, rate * SAVED_UP_S, messages]
        return int(self._scripts["charge"](keys=[keys.rate(group)], args=arguments)) / 1_000_000

    @_speaks_broker
    def take_over(self, group: str, dead: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        for topic, partition in self._join(group, topics):
            if len(found) >= limit:
                return found
            replies = self._scripts["take_over"](
                keys=[
                    keys.log(topic, partition),
                    keys.holders(topic, partition, group),
                    keys.retry(topic, partition, group),
                ],
                args=[group, dead, consumer, limit - len(found)],
            )
            for offset, attempts, flat in replies:
                fields = dict(_pairs(flat))
                found.append(
                    Delivery(
                        from_fields(topic, offset, fields),
                        partition,
                        offset.decode(),
                        attempt=attempts + 1,
                        alone=True,
                    )
                )
        if len(found) < limit:
            self.redis.hdel(keys.beats(group), dead)
            self.redis.hdel(keys.seen(group), dead)
        return found

    # Settling

    @_speaks_broker
    def begin_attempt(self, group: str, consumer: str, delivery: Delivery) -> bool:
        if delivery.source == "retry":
            return True  # due.lua counted it when it handed the message out
        log = keys.log(delivery.message.topic, delivery.partition)
        return bool(
            self._scripts["begin_attempt"](keys=[log], args=[group, consumer, delivery.offset, delivery.attempt])
        )

    @_speaks_broker
    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        by_partition: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            by_partition.setdefault((delivery.message.topic, delivery.partition), []).append(delivery)
        ours = 0
        for where, batch in by_partition.items():
            offsets = sorted((d.offset for d in batch if d.source == "log"), key=_position)
            retried = [d.message.id for d in batch if d.source == "retry"]
            arguments: list[str | int] = [group, consumer, len(offsets), *offsets, *retried]
            ours += self._scripts["ack"](keys=_settle_keys(*where, group), args=arguments)
        return ours

    @_speaks_broker
    def retry(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        where = (delivery.message.topic, delivery.partition)
        parked = Parked.of(delivery, failure, at_ms=_now_ms(), replays=delivery.replays)
        return bool(
            self._scripts["retry"](
                keys=[*_settle_keys(*where, group), keys.retry(*where, group), keys.dead(*where, group)],
                args=[
                    group,
                    consumer,
                    delivery.source,
                    delivery.offset,
                    delivery.message.id,
                    int(delay_s * 1000),
                    to_json(parked),
                    delivery.attempt if count else delivery.attempt - 1,
                ],
            )
        )

    @_speaks_broker
    def bury(self, group: str, consumer: str, delivery: Delivery, failure: Failure) -> bool:
        where = (delivery.message.topic, delivery.partition)
        parked = Parked.of(delivery, failure, at_ms=_now_ms(), replays=delivery.replays)
        return bool(
            self._scripts["bury"](
                keys=[
                    *_settle_keys(*where, group),
                    keys.retry(*where, group),
                    keys.dead(*where, group),
                    keys.graves(*where, group),
                ],
                args=[
                    group,
                    consumer,
                    delivery.source,
                    delivery.offset,
                    delivery.message.id,
                    to_json(parked),
                ],
            )
        )

    @_speaks_broker
    def replay(self, group: str, topic: str, partition: str, message_id: str) -> bool:
        where = (topic, partition, group)
        text = self.redis.hget(keys.graves(*where), message_id)
        if text is None:
            return False
        parked = from_json(text)
        again = to_json(_with(parked, replays=parked.replays + 1, attempts=0))
        return bool(
            self._scripts["replay"](
                keys=[keys.dead(*where), keys.graves(*where), keys.retry(*where), keys.waiting(*where)],
                args=[message_id, again],
            )
        )

    @_speaks_broker
    def dead_letters(self, group: str, topics: Sequence[str], *, limit: int = 100) -> list[Parked]:
        """Newest first."""
        found: list[tuple[float, Parked]] = []
        for topic, partitions in self._partitions(topics):
            for partition in partitions:
                newest = self.redis.zrange(keys.dead(topic, partition, group), 0, limit - 1, desc=True, withscores=True)
                if newest:
                    texts = self.redis.hmget(keys.graves(topic, partition, group), [id_ for id_, _ in newest])
                    found += [
                        (score, from_json(text))
                        for (_, score), text in zip(newest, texts, strict=True)
                        if text is not None
                    ]
        return [parked for _, parked in sorted(found, key=lambda pair: -pair[0])[:limit]]

    @_speaks_broker
    def leave(self, group: str, consumer: str, topics: Sequence[str]) -> None:
        gone = [
            self._scripts["leave"](
                keys=[keys.log(topic, partition), keys.holders(topic, partition, group)],
                args=[group, consumer],
            )
            for topic, partition in self._join(group, topics)
        ]
        if all(gone):
            self.redis.hdel(keys.beats(group), consumer)
            self.redis.hdel(keys.seen(group), consumer)

    @_speaks_broker
    def stats(self, groups: Mapping[str, Sequence[str]]) -> list[GroupStats]:
        """groups: consumer group → its topics."""
        where = [
            (topic, partition, group)
            for group, topics in groups.items()
            for topic, partitions in self._partitions(topics)
            for partition in partitions
        ]
        return read_stats(self.redis, where)


def _position(offset: str) -> tuple[int, int]:
    milliseconds, _, number = offset.partition("-")
    return int(milliseconds), int(number)


def _settle_keys(topic: str, partition: str, group: str) -> list[str]:
    return [
        keys.log(topic, partition),
        keys.counters(topic, partition, group),
        keys.holders(topic, partition, group),
        keys.waiting(topic, partition, group),
    ]


def _entries(reply: Any) -> Iterable[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREADGROUP's reply, which is a list of pairs on RESP2 and a mapping on RESP3."""
    if not reply:
        return []
    if isinstance(reply, Mapping):
        return [(log, [pair for chunk in chunks for pair in chunk]) for log, chunks in reply.items()]
    return [(log, entries) for log, entries in reply]


def _pairs(flat: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _with(parked: Parked, **changes: Any) -> Parked:
    return msgspec.structs.replace(parked, **changes)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
