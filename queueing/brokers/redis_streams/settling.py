"""Settling a delivery: acknowledge it, let it come again, or bury it."""

from __future__ import annotations

from collections.abc import Sequence

from queueing import keys
from queueing.broker import Failure
from queueing.brokers.envelope import Parked, now_ms, to_json
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.message import Delivery


class Settling(RedisBase):
    @speaks_broker
    def begin_attempt(self, group: str, consumer: str, delivery: Delivery) -> bool:
        log, _, holders, waiting = _settle_keys(delivery.message.topic, delivery.partition, group)
        message = delivery.message
        arguments: list[str | int] = [group, consumer, delivery.source, delivery.offset, message.id, delivery.attempt]
        return bool(self._scripts["begin_attempt"](keys=[log, holders, waiting], args=arguments))

    @speaks_broker
    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        by_partition: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            by_partition.setdefault((delivery.message.topic, delivery.partition), []).append(delivery)
        ours = 0
        for where, batch in by_partition.items():
            offsets = [d.offset for d in batch if d.source == "log"]
            retried = [d.message.id for d in batch if d.source == "retry"]
            arguments: list[str | int] = [group, consumer, len(offsets), *offsets, *retried]
            ours += self._scripts["ack"](
                keys=[*_settle_keys(*where, group), keys.series(*where, group)], args=arguments
            )
        return ours

    @speaks_broker
    def retry(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        where = (delivery.message.topic, delivery.partition)
        parked = Parked.of(delivery, failure, at_ms=now_ms())
        return bool(
            self._scripts["retry"](
                keys=[
                    *_settle_keys(*where, group),
                    keys.retry(*where, group),
                    keys.dead(*where, group),
                    keys.series(*where, group),
                ],
                args=[
                    group,
                    consumer,
                    delivery.source,
                    delivery.offset,
                    delivery.message.id,
                    int(delay_s * 1000),
                    to_json(parked),
                    delivery.attempt if count else delivery.attempt - 1,
                    int(count),
                ],
            )
        )

    @speaks_broker
    def bury(
        self, group: str, consumer: str, delivery: Delivery, failure: Failure, *, quarantine: bool = False
    ) -> bool:
        where = (delivery.message.topic, delivery.partition)
        parked = Parked.of(delivery, failure, at_ms=now_ms(), quarantined=quarantine)
        return bool(
            self._scripts["bury"](
                keys=[
                    *_settle_keys(*where, group),
                    keys.retry(*where, group),
                    keys.dead(*where, group),
                    keys.graves(*where, group),
                    keys.series(*where, group),
                    keys.quarantined(*where, group),
                ],
                args=[
                    group,
                    consumer,
                    delivery.source,
                    delivery.offset,
                    delivery.message.id,
                    to_json(parked),
                    int(quarantine),
                ],
            )
        )


def _settle_keys(topic: str, partition: str, group: str) -> list[str]:
    return [
        keys.log(topic, partition),
        keys.counters(topic, partition, group),
        keys.holders(topic, partition, group),
        keys.waiting(topic, partition, group),
    ]
