"""Where a group stands in a log, and how much of the log is kept."""

from __future__ import annotations

from collections.abc import Sequence

from queueing import keys
from queueing.broker import Position
from queueing.brokers.redis_seek import measure, seek
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker

AT_ONCE = 1_000  # entries one script drops; a longer one would keep everybody else waiting
STEPS = 20  # of that, per partition and call


class Retaining(RedisBase):
    @speaks_broker
    def seek(self, group: str, topic: str, partition: str, to: Position, *, dry_run: bool = False) -> int:
        if not dry_run:
            self._begin(group, topic, partition)
            seek(self.redis, self._scripts["seek"], (topic, partition, group), to, move=True)
        return measure(self.redis, (topic, partition), to).beyond

    @speaks_broker
    def trim(self, topic: str, groups: Sequence[str]) -> int:
        declared = self.topics[topic]
        if declared.keeps_everything:
            return 0
        kept_ms = "" if declared.retention_s is None else int(declared.retention_s * 1000)
        most = "" if declared.retention_messages is None else declared.retention_messages
        total = 0
        for partition in self._partitions([topic])[0][1]:
            where = (topic, partition)
            for _ in range(STEPS):
                gone = int(
                    self._scripts["trim"](
                        keys=[keys.log(*where), keys.meta(*where)], args=[kept_ms, most, AT_ONCE, *groups]
                    )
                )
                total += gone
                if gone < AT_ONCE:
                    break
        return total
