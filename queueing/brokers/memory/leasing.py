"""Ordered mode: who holds which partition, and reading what is leased."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from queueing.brokers.memory.growing import Growing
from queueing.brokers.memory.state import GroupView
from queueing.errors import LeaseLost
from queueing.leases import InOrder, Lease, LeaseSeen, Token
from queueing.message import Delivery


class Leasing(Growing):
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

    def _followers(self, view: GroupView, consumer: str, head: Delivery, token: Token, limit: int) -> list[Delivery]:
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

    def _hand_out(self, view: GroupView, consumer: str, waiting: Delivery, token: Token) -> Delivery:
        begun = waiting.attempt + 1
        delivery = replace(waiting, source="retry", attempt=begun, alone=begun > 1, token=token)
        view.hold(delivery, consumer)
        return delivery

    def _held_view(
        self, group: str, consumer: str, topic: str, partition: str, token: tuple[int, int] | None
    ) -> GroupView:
        view = self._groups[topic, partition, group]
        if (view.order.owner, view.order.token) != (consumer, token):
            raise LeaseLost(topic, partition)
        return view

    def _return_to_where_it_waited(self, view: GroupView) -> None:
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
