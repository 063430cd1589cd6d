"""Ordered mode: settling deliveries under the token of their lease."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from queueing.broker import Failure
from queueing.brokers.envelope import Parked, now_ms, to_json
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.brokers.redis_streams.leasing import ordered_keys
from queueing.errors import LeaseLost
from queueing.leases import by_place, place_of
from queueing.message import Delivery

_WAITS = Failure("a message of its key that came before it failed, or came too early")


class InOrderSettling(RedisBase):
    @speaks_broker
    def ack_in_order(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for batch in by_place(deliveries).values():
            offsets = [d.offset for d in batch if d.source == "log"]
            arguments: list[Any] = [len(offsets), *offsets]
            for delivery in batch:
                if delivery.source == "retry":
                    arguments += [delivery.message.id, delivery.message.key]
            ours += self._settle("lease_ack", group, consumer, batch[0], arguments)
        return ours

    @speaks_broker
    def retry_in_order(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        envelope = Parked.of(delivery, failure, at_ms=now_ms())
        begun = delivery.attempt if count else delivery.attempt - 1
        arguments = [*_named(delivery), int(delay_s * 1000), to_json(envelope), begun, int(count)]
        return self._settle_one("lease_retry", group, consumer, delivery, arguments) == 1

    @speaks_broker
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
        envelope = Parked.of(delivery, failure, at_ms=now_ms(), quarantined=quarantine)
        arguments = [*_named(delivery), to_json(envelope), int(keep_blocked), int(quarantine)]
        return self._settle_one("lease_bury", group, consumer, delivery, arguments) == 1

    @speaks_broker
    def park(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        ours = 0
        for batch in by_place(deliveries).values():
            arguments: list[Any] = []
            for delivery in batch:
                arguments += [*_named(delivery), _waiting(delivery), delivery.attempt - 1]
            ours += self._settle("lease_park", group, consumer, batch[0], arguments)
        return ours

    def _settle_one(self, name: str, group: str, consumer: str, delivery: Delivery, arguments: Sequence[Any]) -> int:
        reply = self._settle(name, group, consumer, delivery, arguments)
        if reply == 0:  # the group was moved, so this message comes again: nothing behind it may go first
            raise LeaseLost(*place_of(delivery))
        return reply

    def _settle(self, name: str, group: str, consumer: str, delivery: Delivery, arguments: Sequence[Any]) -> int:
        where = place_of(delivery)
        assert delivery.token is not None, "this delivery was not read under a lease"
        reply = int(
            self._scripts[name](keys=ordered_keys(*where, group), args=[consumer, *delivery.token, group, *arguments])
        )
        if reply == -1:
            raise LeaseLost(*where)
        return reply


def _named(delivery: Delivery) -> list[str]:
    return [delivery.source, delivery.offset, delivery.message.id, delivery.message.key]


def _waiting(delivery: Delivery) -> bytes:
    """The envelope of a follower: it has not failed, whatever the one before it did."""
    envelope = Parked.of(delivery, _WAITS, at_ms=now_ms())
    return to_json(replace(envelope, first_failed_at_ms=delivery.first_failed_at_ms, last_failed_at_ms=0))
