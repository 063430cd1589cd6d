"""The queue on Redis Streams (Redis >= 7.0 or Valkey), by commands of 7.0 only.

What Redis does not do by itself is done here: owner checks on every settlement, counters of our own, retries and dead
letters per group. Never MAXLEN on XADD, XDEL, or XGROUP DELCONSUMER with pending entries: each loses messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from queueing.broker import GroupStats
from queueing.brokers.redis_series import read_series
from queueing.brokers.redis_stats import read_stats
from queueing.brokers.redis_streams.base import speaks_broker
from queueing.brokers.redis_streams.capping import Capping
from queueing.brokers.redis_streams.consuming import Consuming
from queueing.brokers.redis_streams.dead import DeadLetters
from queueing.brokers.redis_streams.growing import Growing
from queueing.brokers.redis_streams.in_order import InOrderSettling
from queueing.brokers.redis_streams.leasing import Leasing
from queueing.brokers.redis_streams.liveness import Liveness
from queueing.brokers.redis_streams.retaining import Retaining
from queueing.brokers.redis_streams.retiring import Retiring
from queueing.brokers.redis_streams.settling import Settling
from queueing.series import Series, added_up, quiet

__all__ = ["RedisStreamsBroker"]


class RedisStreamsBroker(
    Growing, Consuming, Capping, Settling, DeadLetters, Liveness, Retaining, Retiring, Leasing, InOrderSettling
):
    """See queueing.broker.Broker and queueing.leases.OrderedBroker for what each method promises."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"ordered"})

    @speaks_broker
    def stats(self, groups: Mapping[str, Sequence[str]]) -> list[GroupStats]:
        """groups: consumer group → its topics."""
        return read_stats(self.redis, self._places(groups))

    @speaks_broker
    def series(self, group: str, topic: str, last_s: int) -> Series:
        found = read_series(self.redis, self._places({group: [topic]}), last_s=last_s)
        return added_up([*found.values()] or [quiet(now_s=self.redis.time()[0], last_s=last_s)])

    def _places(self, groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
        return [
            (topic, partition, group)
            for group, topics in groups.items()
            for topic, partitions in self._partitions(topics)
            for partition in partitions
        ]
