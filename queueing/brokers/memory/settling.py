"""Settling a delivery: acknowledge it, let it come again, or bury it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from queueing.broker import Failure
from queueing.brokers.memory.growing import Growing
from queueing.brokers.memory.state import failed
from queueing.message import Delivery


class Settling(Growing):
    def begin_attempt(self, group: str, consumer: str, delivery: Delivery) -> bool:
        view = self._groups[delivery.message.topic, delivery.partition, group]
        hands, key = view.hands(delivery)
        held = hands.get(key)
        if held is None or held.consumer != consumer:
            return False
        held.delivery = delivery
        return True

    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for delivery in deliveries:
            view = self._noting(group, delivery.message.topic, delivery.partition)
            if view.take(consumer, delivery):
                view.done += 1
                view.first_failed_at_ms.pop(delivery.message.id, None)
                ours += 1
        return ours

    def retry(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        view = self._noting(group, delivery.message.topic, delivery.partition)
        if not view.take(consumer, delivery):
            return False
        if view.set_aside(delivery.message.id):
            return True
        view.note_failure(delivery.message.id, now=self.clock())
        begun = delivery.attempt if count else delivery.attempt - 1
        earlier = failed(delivery, failure, now=self.clock())
        waiting = replace(delivery, source="retry", alone=True, attempt=begun, earlier=earlier)
        view.delayed[delivery.message.id] = (self.clock() + delay_s, waiting)
        view.retried += count
        return True

    def bury(
        self, group: str, consumer: str, delivery: Delivery, failure: Failure, *, quarantine: bool = False
    ) -> bool:
        view = self._noting(group, delivery.message.topic, delivery.partition)
        if not view.take(consumer, delivery):
            return False
        if not view.set_aside(delivery.message.id):
            view.bury(group, delivery, failure, now=self.clock(), quarantine=quarantine)
        return True
