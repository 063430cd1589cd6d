"""Ordered mode of the queue in memory: leases, blocked keys and their followers."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from queueing.broker import Failure
from queueing.errors import LeaseLost
from queueing.leases import InOrder, Lease, LeaseSeen, Token, by_place, place_of
from queueing.message import Delivery

if TYPE_CHECKING:
    from queueing.brokers.memory import _Group


NEVER = Token(0, 0)


@dataclass(slots=True)
class Order:
    """One ordered group's view of one partition.

    heads: blocked key → message id of the message that failed, or of the last of those handed out after it.
    parked: key → its followers, in the order of the log.
    """

    owner: str = ""
    token: Token = NEVER
    heads: dict[str, str] = field(default_factory=dict)
    parked: dict[str, list[Delivery]] = field(default_factory=dict)

    def count(self) -> int:
        return sum(map(len, self.parked.values()))

    def park(self, delivery: Delivery) -> None:
        insort(self.parked.setdefault(delivery.message.key, []), delivery, key=lambda d: int(d.offset))

    def unpark(self, key: str) -> Delivery | None:
        followers = self.parked.get(key)
        if not followers:
            return None
        first = followers.pop(0)
        if not followers:
            del self.parked[key]
        return first


class OrderedMemory:
    """See queueing.leases.OrderedBroker for what each method promises."""

    __slots__ = ()
    _views: Any
    _groups: Any
    _logs: Any
    _trimmed: Any
    clock: Any
    sleep: Any

    def leases(self, group: str, topics: Sequence[str]) -> list[LeaseSeen]:
        return [
            LeaseSeen(topic, partition, view.order.owner, view.order.token)
            for topic, partition, view in self._views(group, topics)
        ]

    def take_lease(self, group: str, consumer: str, seen: LeaseSeen, epoch: int) -> Lease | None:
        view = self._groups[seen.topic, seen.partition, group]
        order = view.order
        if order.token.epoch > epoch:
            return None
        if order.token.epoch == epoch and order.owner not in ("", consumer, seen.owner):
            return None
        order.owner, order.token = consumer, Token(epoch, order.token.n + 1)
        self._return_to_where_it_waited(view)
        return Lease(seen.topic, seen.partition, order.token)

    def give_lease(self, group: str, consumer: str, lease: Lease) -> bool:
        order = self._groups[lease.topic, lease.partition, group].order
        if (order.owner, order.token) != (consumer, lease.token):
            return False
        order.owner = ""
        return True

    def read_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int, wait_s: float) -> InOrder:
        found: list[Delivery] = []
        blocked, lost = set(), []
        for topic, partition, token in leases:
            view = self._groups[topic, partition, group]
            if (view.order.owner, view.order.token) != (consumer, token):
                lost.append((topic, partition))
                continue
            log, first = self._logs.get((topic, partition), []), self._trimmed.get((topic, partition), 0)
            stop = view.next_index + limit
            while view.next_index < min(first + len(log), stop):
                delivery = Delivery(log[view.next_index - first], partition, str(view.next_index), token=token)
                view.hold(delivery, consumer)
                view.next_index += 1
                found.append(delivery)
                if delivery.message.key in view.order.heads:
                    blocked.add((topic, partition, delivery.message.key))
        if not found and not lost and wait_s:
            self.sleep(wait_s)
        return InOrder(found, frozenset(blocked), tuple(lost))

    def read_left_behind(self, group: str, consumer: str, lease: Lease, limit: int) -> InOrder:
        view = self._held_view(group, consumer, lease.topic, lease.partition, lease.token)
        found = []
        for held in sorted(view.pending.values(), key=lambda held: int(held.delivery.offset))[:limit]:
            held.consumer = consumer
            begun = held.delivery.attempt
            found.append(replace(held.delivery, attempt=begun + 1, alone=True, token=lease.token))
        keys = {d.message.key for d in found} & view.order.heads.keys()
        return InOrder(found, frozenset((lease.topic, lease.partition, key) for key in keys))

    def read_due_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int) -> list[Delivery]:
        for topic, partition, token in leases:
            view = self._held_view(group, consumer, topic, partition, token)
            found: list[Delivery] = []
            due = sorted((at, id_) for id_, (at, _) in view.delayed.items() if at <= self.clock())
            for _, id_ in due:
                if len(found) >= limit:
                    break
                _, waiting = view.delayed[id_]
                if waiting.attempt:  # begun before: by itself
                    if not found:
                        del view.delayed[id_]
                        return [self._hand_out(view, consumer, waiting, token)]
                    continue
                del view.delayed[id_]
                found.append(self._hand_out(view, consumer, waiting, token))
                found += self._followers(view, consumer, waiting, token, limit - len(found))
            if found:
                return found
        return []

    def _followers(self, view: _Group, consumer: str, head: Delivery, token: Token, limit: int) -> list[Delivery]:
        """Those that may be handed out together with a head."""
        found: list[Delivery] = []
        key = head.message.key
        if view.order.heads.get(key) != head.message.id:
            return found
        while len(found) < limit and view.order.parked.get(key) and not view.order.parked[key][0].attempt:
            follower = view.order.unpark(key)
            assert follower is not None
            view.order.heads[key] = follower.message.id
            found.append(self._hand_out(view, consumer, follower, token))
        return found

    def _hand_out(self, view: _Group, consumer: str, waiting: Delivery, token: Token) -> Delivery:
        begun = waiting.attempt + 1
        delivery = replace(waiting, source="retry", attempt=begun, alone=begun > 1, token=token)
        view.hold(delivery, consumer)
        return delivery

    def ack_in_order(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for view, batch in self._settling(group, consumer, deliveries):
            for delivery in batch:
                if view.take(consumer, delivery):
                    view.done += 1
                    ours += 1
                    if delivery.source == "retry":
                        self._pass_on(view, delivery)
        return ours

    def retry_in_order(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        [(view, _)] = self._settling(group, consumer, [delivery])
        if not view.take(consumer, delivery):  # the group was moved, so this message comes again
            raise LeaseLost(*place_of(delivery))
        if self._merged(view, delivery):
            return False
        begun = delivery.attempt if count else delivery.attempt - 1
        view.delayed[delivery.message.id] = (self.clock() + delay_s, replace(delivery, source="retry", attempt=begun))
        self._block(view, delivery)
        return True

    def bury_in_order(
        self, group: str, consumer: str, delivery: Delivery, failure: Failure, *, keep_blocked: bool
    ) -> bool:
        [(view, _)] = self._settling(group, consumer, [delivery])
        if not view.take(consumer, delivery):  # the group was moved, so this message comes again
            raise LeaseLost(*place_of(delivery))
        if self._merged(view, delivery):
            return False
        view.dead[delivery.message.id] = (delivery, failure)
        if keep_blocked:
            self._block(view, delivery)
        else:
            self._pass_on(view, delivery)
        return keep_blocked

    def park(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for view, batch in self._settling(group, consumer, deliveries):
            for delivery in batch:
                if not view.take(consumer, delivery):
                    continue
                ours += 1
                if self._merged(view, delivery):
                    continue
                waiting = replace(delivery, source="retry", attempt=delivery.attempt - 1)
                if delivery.message.key in view.order.heads:
                    view.order.park(waiting)
                else:  # nobody is before it, so nobody would ever release it
                    self._block(view, waiting)
                    view.delayed[waiting.message.id] = (self.clock(), waiting)
        return ours

    def _held_view(
        self, group: str, consumer: str, topic: str, partition: str, token: tuple[int, int] | None
    ) -> _Group:
        view: _Group = self._groups[topic, partition, group]
        if (view.order.owner, view.order.token) != (consumer, token):
            raise LeaseLost(topic, partition)
        return view

    def _settling(
        self, group: str, consumer: str, deliveries: Sequence[Delivery]
    ) -> list[tuple[_Group, list[Delivery]]]:
        return [
            (self._held_view(group, consumer, *where, batch[0].token), batch)
            for where, batch in by_place(deliveries).items()
        ]

    @staticmethod
    def _merged(view: _Group, delivery: Delivery) -> bool:
        """Was it produced twice, and the other copy is kept outside the log already?"""
        if delivery.source == "retry":
            return False
        parked = view.order.parked.get(delivery.message.key, ())
        if any(d.message.id == delivery.message.id for d in parked):
            view.done += 1
            return True
        return view.set_aside(delivery.message.id)

    @staticmethod
    def _block(view: _Group, delivery: Delivery) -> None:
        head = view.order.heads.get(delivery.message.key)
        if head is None or not (head in view.delayed or head in view.dead):
            view.order.heads[delivery.message.key] = delivery.message.id

    def _pass_on(self, view: _Group, delivery: Delivery) -> None:
        key = delivery.message.key
        if view.order.heads.get(key) != delivery.message.id:
            return
        follower = view.order.unpark(key)
        if follower is None:
            del view.order.heads[key]
        else:
            view.order.heads[key] = follower.message.id
            view.delayed[follower.message.id] = (self.clock(), follower)

    def _return_to_where_it_waited(self, view: _Group) -> None:
        in_hand = sorted((held.delivery for held in view.working.values()), key=lambda d: int(d.offset))
        without_head = {key for key, id_ in view.order.heads.items() if id_ in view.working}
        view.working.clear()
        for delivery in in_hand:
            key = delivery.message.key
            if key in view.order.heads and key not in without_head:
                view.order.park(delivery)
                continue
            if key in without_head:
                without_head.discard(key)
                view.order.heads[key] = delivery.message.id
            view.delayed[delivery.message.id] = (self.clock(), delivery)
