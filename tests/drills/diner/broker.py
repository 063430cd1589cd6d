"""The shipped broker, with places to freeze at, and a word on what the owner check said."""

from __future__ import annotations

from collections.abc import Sequence

from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import Delivery
from tests.drills.diner.freezing import freeze


class FreezingBroker(RedisStreamsBroker):
    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        freeze("ack")
        ours = super().ack(group, consumer, deliveries)
        if ours < len(deliveries):
            print(f"acknowledged {len(deliveries)}, ours {ours}", flush=True)
        return ours

    def bury(
        self, group: str, consumer: str, delivery: Delivery, failure: Failure, *, quarantine: bool = False
    ) -> bool:
        freeze("bury")
        ours = super().bury(group, consumer, delivery, failure, quarantine=quarantine)
        if not ours:
            print("buried 1, ours 0", flush=True)
        return ours
