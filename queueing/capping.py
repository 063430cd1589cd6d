"""A group's caps as one of its consumers keeps them: what is paid for, what waits for its turn, what may be read now.

Everybody pays for what was read before it is handled. A batch whose cap is in debt waits here until the debt is paid,
and nothing more of its topics is read; the other topics go on.

Who is idle saves up a tenth of a second's worth. While there is a backlog a turn that took longer is made up for, by
larger batches and up to a second's worth: a machine that is busy for a moment keeps to the rate all the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from queueing.broker import MADE_UP_S, SAVED_UP_S, Broker
from queueing.message import Delivery
from queueing.subscription import WHOLE_GROUP, Subscription

LOOK_S = 0.5  # how often a consumer asks which caps an operator has set
LATELY_S = 10.0  # longer than any turn: who last read all it could before that was idle in between


class Cap(NamedTuple):
    """bucket: the topic that has a cap of its own, or WHOLE_GROUP. rate: messages a second."""

    bucket: str
    rate: float


def cap_of(topic: str, *, declared: Mapping[str, float], set_to: Mapping[str, float | None]) -> Cap | None:
    """What caps a topic: its own cap, else the whole group's; None: nothing does.

    declared: by the subscription. set_to: by an operator, who goes first; None is no cap.
    """
    for bucket in (topic, WHOLE_GROUP):
        rate = set_to[bucket] if bucket in set_to else declared.get(bucket)
        if rate is not None:
            return Cap(bucket, rate)
        if bucket in set_to:
            return None
    return None


@dataclass(slots=True)
class _Waiting:
    until: float
    rate: float
    deliveries: list[Delivery]


@dataclass(slots=True)
class Caps:
    subscription: Subscription
    broker: Broker
    clock: Callable[[], float]
    _set_to: Mapping[str, float | None] = field(default_factory=dict, init=False)
    _waiting: dict[str, _Waiting] = field(default_factory=dict, init=False)  # bucket → what it cannot afford yet
    _next_look: float = field(default=float("-inf"), init=False)
    _free_at: dict[str, float] = field(default_factory=dict, init=False)  # bucket → when its debt was, or is, paid
    _asked: dict[str, int] = field(default_factory=dict, init=False)  # bucket → how many a read could bring
    _full_at: dict[str, float] = field(default_factory=dict, init=False)  # bucket → when a read brought all it could
    _late: frozenset[str] = field(default=frozenset(), init=False)  # buckets of which that is so before this batch

    def look(self) -> None:
        """See what an operator has set. What waits for a cap that is gone or rose waits no longer."""
        if self.clock() < self._next_look:
            return
        self._set_to = self.broker.rates(self.subscription.group)
        self._next_look = self.clock() + LOOK_S
        rates = {cap.bucket: cap.rate for cap in map(self.of, self.subscription.topics) if cap}
        for bucket, waiting in self._waiting.items():
            rate = rates.get(bucket)
            if rate is None:
                waiting.until = float("-inf")
            elif rate > waiting.rate:
                debt_s = self.broker.charge(self.subscription.group, 0, rate, topic=bucket)
                waiting.until, waiting.rate = min(waiting.until, self.clock() + debt_s), rate

    def of(self, topic: str) -> Cap | None:
        return cap_of(topic, declared=self.subscription.caps, set_to=self._set_to)

    @property
    def waiting(self) -> list[Delivery]:
        return [delivery for waiting in self._waiting.values() for delivery in waiting.deliveries]

    @property
    def ready_in_s(self) -> float:
        """Seconds until the first of what waits may be handled; infinite when nothing does."""
        return max(0.0, min((w.until for w in self._waiting.values()), default=float("inf")) - self.clock())

    def open_topics(self) -> list[str]:
        if not self._waiting:
            return self.subscription.topics
        closed = {delivery.message.topic for delivery in self.waiting}
        return [
            topic
            for topic in self.subscription.topics
            if topic not in closed and ((cap := self.of(topic)) is None or cap.bucket not in self._waiting)
        ]

    def limit(self, topic: str) -> int:
        """A capped topic is read a tenth of a second's worth at a time: it starts evenly, and little of it is held.
        More only where the last turn took longer than that, and left more behind."""
        cap = self.of(topic)
        if cap is None:
            return self.subscription.batch_size
        self._asked[cap.bucket] = limit = self._affordable(cap)
        return limit

    def _affordable(self, cap: Cap) -> int:
        free_s = self.clock() - self._free_at.get(cap.bucket, float("inf")) if self._is_behind(cap.bucket) else 0.0
        worth = int(cap.rate * min(MADE_UP_S, max(SAVED_UP_S, free_s)))
        return max(1, min(self.subscription.batch_size, worth))

    def _is_behind(self, bucket: str) -> bool:
        """Whether there was more of it than the last read could bring."""
        return self.clock() - self._full_at.get(bucket, float("-inf")) < LATELY_S

    def shares(self) -> list[tuple[int, list[str]]]:
        """The open topics, by how many of their entries may be read at a time."""
        found: dict[int, list[str]] = defaultdict(list)
        for topic in self.open_topics():
            found[self.limit(topic)].append(topic)
        return sorted(found.items())

    def take(self, read: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """One batch of what was read, and the rest of it. Entries of one topic stay in their order."""
        size = self.subscription.batch_size
        if not self.subscription.caps and not self._set_to:  # 500 look-ups a batch would cost more than all the rest
            return list(read[:size]), list(read[size:])
        batch: list[Delivery] = []
        rest: list[Delivery] = []
        taken: Counter[str | None] = Counter()
        caps = {topic: self.of(topic) for topic in self.open_topics()}
        limits = {cap.bucket if cap else None: self._affordable(cap) if cap else size for cap in caps.values()}
        for delivery in read:
            topic = delivery.message.topic
            if len(batch) < size and topic in caps:
                bucket = cap.bucket if (cap := caps[topic]) else None
                if taken[bucket] < limits[bucket]:
                    taken[bucket] += 1
                    batch.append(delivery)
                    continue
            rest.append(delivery)
        self._note_backlogs(taken)
        return batch, rest

    def _note_backlogs(self, taken: Mapping[str | None, int]) -> None:
        self._late = frozenset(filter(self._is_behind, self._full_at))
        for bucket, count in taken.items():
            if bucket is not None and count >= self._asked.get(bucket, 1):
                self._full_at[bucket] = self.clock()
            elif bucket is not None:
                self._full_at.pop(bucket, None)

    def pay(self, batch: Sequence[Delivery], concerns_us: Callable[[Delivery], bool]) -> list[Delivery]:
        """Pay for these, in advance. Returns those that may be handled now; the others wait.

        concerns_us: only what will be handled costs anything.
        """
        if not self.subscription.caps and not self._set_to:
            return list(batch)
        if not batch:  # nothing was there: whose cap nothing waits for is idle
            self._full_at = {bucket: at for bucket, at in self._full_at.items() if bucket in self._waiting}
            self._late = frozenset(self._full_at)
        now, ready = self.clock(), []
        shares: dict[Cap | None, list[Delivery]] = defaultdict(list)
        for delivery in batch:
            shares[self.of(delivery.message.topic)].append(delivery)
        for cap, share in shares.items():
            costly = sum(map(concerns_us, share)) if cap else 0
            debt_s = 0.0
            if cap and costly:
                saved_up_s = MADE_UP_S if cap.bucket in self._late else SAVED_UP_S
                debt_s = self.broker.charge(
                    self.subscription.group, costly, cap.rate, topic=cap.bucket, saved_up_s=saved_up_s
                )
                self._free_at[cap.bucket] = now + debt_s
            if cap and debt_s > 0:
                self._waiting[cap.bucket] = _Waiting(now + debt_s, cap.rate, share)
            else:
                ready += share
        return ready

    def take_ready(self) -> list[Delivery]:
        """The batch whose debt was paid first; empty while none is."""
        bucket = min(self._waiting, key=lambda name: self._waiting[name].until, default=None)
        if bucket is None or self._waiting[bucket].until > self.clock():
            return []
        return self._waiting.pop(bucket).deliveries

    def take_all(self) -> list[Delivery]:
        """What waits, whatever it costs: who leaves finishes what it holds."""
        found = self.waiting
        self._waiting.clear()
        return found

    def keep(self, wanted: Callable[[Delivery], bool]) -> None:
        """Forget what waits and is not wanted."""
        for bucket, waiting in list(self._waiting.items()):
            waiting.deliveries = list(filter(wanted, waiting.deliveries))
            if not waiting.deliveries:
                del self._waiting[bucket]
