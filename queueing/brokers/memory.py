"""The queue in this process's memory: deterministic, with the caller's clock, and the same promises (but durability).

For simulations and for tests of handlers' choreography. State is one object per topic partition and group, written as
plainly as the promises read.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec.structs import replace

from queueing.broker import BEGINNING, END, SAVED_UP_S, Failure, GroupStats, Position
from queueing.brokers.memory_leasing import Order
from queueing.brokers.memory_ordered import OrderedMemory
from queueing.errors import TopicFull, UnknownTopic
from queueing.message import Delivery, Message
from queueing.topic import Topic


@dataclass(slots=True)
class _Held:
    """An entry in a consumer's hands."""

    delivery: Delivery
    consumer: str


@dataclass(slots=True)
class _Group:
    """One consumer group's view of one partition."""

    next_index: int = 0  # counted from the first entry ever appended
    skipped: int = 0
    acked: int = 0
    done: int = 0
    pending: dict[str, _Held] = field(default_factory=dict)  # offset → new entries in hand
    working: dict[str, _Held] = field(default_factory=dict)  # message id → retried messages in hand
    delayed: dict[str, tuple[float, Delivery]] = field(default_factory=dict)  # message id → (due, delivery)
    dead: dict[str, tuple[Delivery, Failure]] = field(default_factory=dict)
    order: Order = field(default_factory=Order)

    def hold(self, delivery: Delivery, consumer: str) -> None:
        hands, key = self._hands(delivery)
        hands[key] = _Held(delivery, consumer)

    def seek(self, index: int) -> None:
        """Read on from there; what was in hand from there on comes again."""
        self.next_index = index
        for offset in [offset for offset in self.pending if int(offset) >= index]:
            del self.pending[offset]
        self.skipped = index - len(self.pending) - self.acked

    def take(self, consumer: str, delivery: Delivery) -> bool:
        """Out of this consumer's hands, if it is in them."""
        hands, key = self._hands(delivery)
        held = hands.get(key)
        if held is None or held.consumer != consumer:
            return False
        del hands[key]
        if delivery.source == "log":
            self.acked += 1
        return True

    def set_aside(self, message_id: str) -> bool:
        """Was this message produced twice, and the other copy is waiting, in hand again, or dead? They merge."""
        if message_id in self.delayed or message_id in self.working or message_id in self.dead:
            self.done += 1
            return True
        return False

    def _hands(self, delivery: Delivery) -> tuple[dict[str, _Held], str]:
        if delivery.source == "retry":
            return self.working, delivery.message.id
        return self.pending, delivery.offset


@dataclass(slots=True)
class _Later:
    """Delayed messages of one partition, and what became of those before."""

    waiting: dict[str, Message] = field(default_factory=dict)
    scheduled: int = 0
    promoted: int = 0
    cancelled: int = 0


@dataclass(slots=True)
class MemoryBroker(OrderedMemory):
    """See queueing.broker.Broker for what each method promises.

    clock: seconds; virtual in simulations.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"ordered"})
    topics: Mapping[str, Topic]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = lambda _: None
    _logs: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    _stamps: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _later: dict[tuple[str, str], _Later] = field(default_factory=dict)
    _trimmed: dict[tuple[str, str], int] = field(default_factory=dict)
    _starts: dict[str, Position] = field(default_factory=dict)
    _groups: dict[tuple[str, str, str], _Group] = field(default_factory=dict)
    _beats: dict[str, dict[str, str]] = field(default_factory=dict)
    _paused: set[str] = field(default_factory=set)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def produce(self, messages: Sequence[Message]) -> None:
        batches: dict[tuple[str, str], list[Message]] = {}
        for message in messages:
            if message.topic not in self.topics:
                raise UnknownTopic(f"topic {message.topic!r} is not declared")
            where = (message.topic, self.topics[message.topic].partition_of(message.key))
            batches.setdefault(where, []).append(message)
        for (name, partition), batch in batches.items():
            at_once = [message for message in batch if not message.deliver_at_ms]
            if at_once:
                self._check_capacity(self.topics[name], partition, len(at_once))
            self.ensure_partition(name, partition)
            self._append((name, partition), at_once)
            later = self._later[name, partition]
            for message in batch:
                if message.deliver_at_ms and message.id not in later.waiting:
                    later.waiting[message.id] = message
                    later.scheduled += 1

    def _append(self, where: tuple[str, str], messages: Sequence[Message]) -> None:
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
        if not topic.capacity:
            return
        log = self._logs.get((topic.name, partition), [])
        gate = self._groups.get((topic.name, partition, topic.gate_group), _Group())
        lag = self._trimmed.get((topic.name, partition), 0) + len(log) - gate.acked - gate.skipped
        if lag + more > topic.capacity:
            raise TopicFull(topic.name, lag, topic.capacity, retry_after=1.0)

    def ensure_partition(self, topic: str, partition: str) -> None:
        self._logs.setdefault((topic, partition), [])
        self._stamps.setdefault((topic, partition), [])
        self._later.setdefault((topic, partition), _Later())

    def partitions(self, topic: str) -> list[str]:
        made = {p for t, p in self._logs if t == topic}
        return sorted(made | set(self.topics[topic].static_partitions()))

    def beat(self, group: str, consumer: str) -> None:
        self._beats.setdefault(group, {})[consumer] = str(next(self._count))

    def beats(self, group: str) -> dict[str, str]:
        holders = {
            held.consumer
            for (_, _, g), state in self._groups.items()
            if g == group
            for held in (*state.pending.values(), *state.working.values())
        }
        return {**dict.fromkeys(sorted(holders), ""), **self._beats.get(group, {})}

    def _views(self, group: str, topics: Sequence[str]) -> list[tuple[str, str, _Group]]:
        return [
            (topic, partition, self._begin(group, topic, partition))
            for topic in topics
            for partition in self.partitions(topic)
        ]

    def _begin(self, group: str, topic: str, partition: str) -> _Group:
        view = self._groups.get((topic, partition, group))
        if view is None:
            view = self._groups[topic, partition, group] = _Group()
            view.seek(self._index((topic, partition), self._starts.get(group, BEGINNING)))
        return view

    def _index(self, where: tuple[str, str], to: Position) -> int:
        first, stamps = self._trimmed.get(where, 0), self._stamps.get(where, [])
        end = first + len(stamps)
        if to in (BEGINNING, END):
            return first if to == BEGINNING else end
        if isinstance(to, int):
            return next((first + n for n, at in enumerate(stamps) if at * 1000 >= to), end)
        if not to.isdigit():
            raise ValueError(f"{to!r} is no offset; one looks like 17")
        return min(end, max(first, int(to)))

    def start_at(self, group: str, start: Position) -> None:
        # A moment, so that a partition that appears later is read from its first entry.
        self._starts.setdefault(group, int(self.clock() * 1000) if start == END else start)

    def seek(self, group: str, topic: str, partition: str, to: Position, *, dry_run: bool = False) -> int:
        index = self._index((topic, partition), to)
        if not dry_run:
            self._begin(group, topic, partition).seek(index)
        return self._trimmed.get((topic, partition), 0) + len(self._logs.get((topic, partition), [])) - index

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

    def read(self, group: str, consumer: str, topics: Sequence[str], limit: int, wait_s: float) -> list[Delivery]:
        found: list[Delivery] = []
        for topic, partition, view in self._views(group, topics):
            log, first = self._logs.get((topic, partition), []), self._trimmed.get((topic, partition), 0)
            stop = view.next_index + limit
            while view.next_index < min(first + len(log), stop):
                delivery = Delivery(log[view.next_index - first], partition, str(view.next_index))
                view.pending[delivery.offset] = _Held(delivery, consumer)
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
                view.working[id_] = _Held(waiting, consumer)
                found.append(replace(waiting, attempt=waiting.attempt + 1))
        return found

    def charge(self, group: str, messages: int, rate: float) -> float:
        most, now = rate * SAVED_UP_S, self.clock()
        tokens, at = self._buckets.get(group, (most, now))
        tokens = min(most, tokens + (now - at) * rate) - messages
        self._buckets[group] = (tokens, now)
        return max(0.0, -tokens / rate)

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

    def begin_attempt(self, group: str, consumer: str, delivery: Delivery) -> bool:
        view = self._groups[delivery.message.topic, delivery.partition, group]
        hands, key = view._hands(delivery)
        held = hands.get(key)
        if held is None or held.consumer != consumer:
            return False
        held.delivery = delivery
        return True

    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for delivery in deliveries:
            view = self._groups[delivery.message.topic, delivery.partition, group]
            if view.take(consumer, delivery):
                view.done += 1
                ours += 1
        return ours

    def retry(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        view = self._groups[delivery.message.topic, delivery.partition, group]
        if not view.take(consumer, delivery):
            return False
        if view.set_aside(delivery.message.id):
            return True
        begun = delivery.attempt if count else delivery.attempt - 1
        waiting = replace(delivery, source="retry", alone=True, attempt=begun)
        view.delayed[delivery.message.id] = (self.clock() + delay_s, waiting)
        return True

    def bury(self, group: str, consumer: str, delivery: Delivery, failure: Failure) -> bool:
        view = self._groups[delivery.message.topic, delivery.partition, group]
        if not view.take(consumer, delivery):
            return False
        if not view.set_aside(delivery.message.id):
            view.dead[delivery.message.id] = (delivery, failure)
        return True

    def replay(self, group: str, topic: str, partition: str, message_id: str) -> bool:
        view = self._groups[topic, partition, group]
        if message_id not in view.dead:
            return False
        delivery, _ = view.dead.pop(message_id)
        again = replace(delivery, source="retry", alone=True, attempt=0, replays=delivery.replays + 1)
        view.delayed[message_id] = (self.clock(), again)
        return True

    def pause(self, group: str) -> None:
        self._paused.add(group)

    def resume(self, group: str) -> None:
        self._paused.discard(group)

    def is_paused(self, group: str) -> bool:
        return group in self._paused

    def leave(self, group: str, consumer: str, topics: Sequence[str]) -> None:
        if not any(
            held.consumer == consumer
            for _, _, view in self._views(group, topics)
            for held in (*view.pending.values(), *view.working.values())
        ):
            self._beats.get(group, {}).pop(consumer, None)

    def stats(self, groups: Mapping[str, Sequence[str]]) -> list[GroupStats]:
        rows = []
        for group, topics in groups.items():
            for topic, partition, view in self._views(group, topics):
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
                        later=len(self._later.get((topic, partition), _Later()).waiting),
                        trimmed=first,
                        kept=len(log),
                        parked=view.order.count(),
                    )
                )
        return rows
