"""Ordered mode: settling under the token of a lease, blocked keys and their followers."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from queueing.broker import Failure
from queueing.brokers.memory.leasing import Leasing
from queueing.brokers.memory.state import GroupView, failed
from queueing.errors import LeaseLost
from queueing.leases import by_place, place_of
from queueing.message import Delivery


class InOrderSettling(Leasing):
    def ack_in_order(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for view, batch in self._settling(group, consumer, deliveries):
            for delivery in batch:
                if view.take(consumer, delivery):
                    view.done += 1
                    view.first_failed_at_ms.pop(delivery.message.id, None)
                    ours += 1
                    if delivery.source == "retry":
                        view.pass_on(delivery.message.key, delivery.message.id, now=self.clock())
        return ours

    def retry_in_order(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        [(view, _)] = self._settling(group, consumer, [delivery])
        if not view.take(consumer, delivery):  # the group was moved, so this message comes again
            raise LeaseLost(*place_of(delivery))
        if self._merged(view, delivery):
            return False
        view.note_failure(delivery.message.id, now=self.clock())
        begun = delivery.attempt if count else delivery.attempt - 1
        earlier = failed(delivery, failure, now=self.clock())
        waiting = replace(delivery, source="retry", attempt=begun, earlier=earlier)
        view.delayed[delivery.message.id] = (self.clock() + delay_s, waiting)
        view.retried += count
        self._block(view, delivery)
        return True

    def bury_in_order(
        self,
        group: str,
        consumer: str,
        delivery: Delivery,
        failure: Failure,
        *,
        keep_blocked: bool,
        quarantine: bool = False,
    ) -> bool:
        [(view, _)] = self._settling(group, consumer, [delivery])
        if not view.take(consumer, delivery):  # the group was moved, so this message comes again
            raise LeaseLost(*place_of(delivery))
        if self._merged(view, delivery):
            return False
        view.bury(group, delivery, failure, now=self.clock(), quarantine=quarantine)
        if keep_blocked:
            self._block(view, delivery)
        else:
            view.pass_on(delivery.message.key, delivery.message.id, now=self.clock())
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

    def _settling(
        self, group: str, consumer: str, deliveries: Sequence[Delivery]
    ) -> list[tuple[GroupView, list[Delivery]]]:
        batches = by_place(deliveries)
        views = [self._held_view(group, consumer, *where, batch[0].token) for where, batch in batches.items()]
        return [(self._noting(group, *where), batch) for _, (where, batch) in zip(views, batches.items(), strict=True)]

    @staticmethod
    def _merged(view: GroupView, delivery: Delivery) -> bool:
        """Was it produced twice, and the other copy is kept outside the log already?"""
        return delivery.source == "log" and view.merges(delivery.message.id, delivery.message.key)

    @staticmethod
    def _block(view: GroupView, delivery: Delivery) -> None:
        head = view.order.heads.get(delivery.message.key)
        if head is None or not (head in view.delayed or head in view.dead):
            view.order.heads[delivery.message.key] = delivery.message.id
