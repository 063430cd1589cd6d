"""What the broker in memory remembers of a partition, and of one group's view of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from queueing.broker import Failure
from queueing.brokers.envelope import Parked
from queueing.brokers.memory.history import History
from queueing.brokers.memory.order import Order
from queueing.dead import Buried
from queueing.message import Delivery, Failed, Message, with_failure
from queueing.series import GroupTotals


@dataclass(slots=True)
class Held:
    """An entry in a consumer's hands."""

    delivery: Delivery
    consumer: str


@dataclass(slots=True)
class GroupView:
    """One consumer group's view of one partition."""

    next_index: int = 0  # counted from the first entry ever appended
    skipped: int = 0
    acked: int = 0
    done: int = 0
    retried: int = 0
    buried: int = 0
    history: History[GroupTotals] = field(default_factory=History)
    moved: int = 0
    pending: dict[str, Held] = field(default_factory=dict)  # offset → new entries in hand
    working: dict[str, Held] = field(default_factory=dict)  # message id → retried messages in hand
    delayed: dict[str, tuple[float, Delivery]] = field(default_factory=dict)  # message id → (due, delivery)
    dead: dict[str, Buried] = field(default_factory=dict)  # by message id, in the order of burial
    purged: int = 0
    first_failed_at_ms: dict[str, int] = field(default_factory=dict)  # of messages that are not done
    order: Order = field(default_factory=Order)

    @property
    def totals(self) -> GroupTotals:
        return GroupTotals(self.acked, self.skipped, self.retried, self.buried)

    def acked_a_second(self, now: float) -> float:
        """During the last ten seconds, from the first of them in which anything was."""
        first = min((second for second in self.history if second >= int(now) - 9), default=None)
        return 0.0 if first is None else (self.acked - self.history[first].acked) / max(1.0, now - first)

    def hold(self, delivery: Delivery, consumer: str) -> None:
        hands, key = self.hands(delivery)
        hands[key] = Held(delivery, consumer)

    def seek(self, index: int) -> None:
        """Read on from there; what was in hand from there on comes again."""
        self.next_index = index
        for offset in [offset for offset in self.pending if int(offset) >= index]:
            del self.pending[offset]
        self.skipped = index - len(self.pending) - self.acked

    def take(self, consumer: str, delivery: Delivery) -> bool:
        """Out of this consumer's hands, if it is in them."""
        hands, key = self.hands(delivery)
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

    def merges(self, message_id: str, key: str) -> bool:
        """The same, where it may also be parked behind its key."""
        if any(delivery.message.id == message_id for delivery in self.order.parked.get(key, ())):
            self.done += 1
            return True
        return self.set_aside(message_id)

    def note_failure(self, message_id: str, *, now: float) -> None:
        self.first_failed_at_ms.setdefault(message_id, int(now * 1000))

    def bury(self, group: str, delivery: Delivery, failure: Failure, *, now: float, quarantine: bool) -> None:
        message_id, now_ms = delivery.message.id, int(now * 1000)
        self.note_failure(message_id, now=now)
        failed = replace(delivery, first_failed_at_ms=self.first_failed_at_ms[message_id])
        letter = Parked.of(failed, failure, at_ms=now_ms, quarantined=quarantine)
        self.dead[message_id] = Buried(group, letter, now_ms, seal=f"{now_ms}/{letter.replays}")
        self.buried += 1

    def pass_on(self, key: str, message_id: str, *, now: float) -> None:
        """This message stands in nobody's way any more; if it was the head of its key, the first follower is it now."""
        if self.order.heads.get(key) != message_id:
            return
        follower = self.order.unpark(key)
        if follower is None:
            del self.order.heads[key]
        else:
            self.order.heads[key] = follower.message.id
            self.delayed[follower.message.id] = (now, follower)

    def hands(self, delivery: Delivery) -> tuple[dict[str, Held], str]:
        if delivery.source == "retry":
            return self.working, delivery.message.id
        return self.pending, delivery.offset


@dataclass(slots=True)
class Later:
    """Delayed messages of one partition, and what became of those before."""

    waiting: dict[str, Message] = field(default_factory=dict)
    scheduled: int = 0
    moved: int = 0
    promoted: int = 0
    cancelled: int = 0


def failed(delivery: Delivery, failure: Failure, *, now: float) -> tuple[Failed, ...]:
    """Its last failures, this one included."""
    last = Failed(int(now * 1000), delivery.attempt, delivery.replays, failure.reason)
    return with_failure(delivery.earlier, last)
