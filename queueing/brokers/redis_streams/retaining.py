"""Where a group stands in a log, and how much of the log is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from queueing import keys
from queueing.broker import Position
from queueing.brokers.redis_seek import measure, seek
from queueing.brokers.redis_streams.base import speaks_broker
from queueing.brokers.redis_streams.opening import Opening

AT_ONCE = 1_000  # entries one script drops; a longer one would keep everybody else waiting
STEPS = 20  # of that, per partition and call
PAGE = 5_000


class Retaining(Opening):
    @speaks_broker
    def seek(self, group: str, topic: str, partition: str, to: Position, *, dry_run: bool = False) -> int:
        if not dry_run:
            self._begin(group, topic, partition)
            measure(self.redis, (topic, partition), to)  # raises before anything is changed
            # Before, so that nobody reads there meanwhile; and after, for one who opened it again before we moved.
            self._shut_beyond(group, topic, partition, to)
            seek(self.redis, self._scripts["seek"], (topic, partition, group), to, move=True)
            self._shut_beyond(group, topic, partition, to)
        return measure(self.redis, (topic, partition), to).beyond

    def may_come(self, groups: Mapping[str, Iterable[str]]) -> Iterator[list[bytes]]:
        """The ids of all messages that may still come to these groups, in pages: delayed, in a log, or held.

        In the order in which messages move, also to a partition that is split off, so that one that moves meanwhile is
        met where it arrives.
        groups: consumer group → its topics.
        """
        topics = sorted({topic for heard in groups.values() for topic in heard})
        where = [(topic, partition) for topic, found in self._partitions(topics) for partition in found]
        for place in where:
            yield self.redis.zrange(keys.later(*place), 0, -1)
            yield self.redis.hkeys(keys.later_leaving(*place))
            start = "-"
            while page := self.redis.xrange(keys.log(*place), min=start, count=PAGE):
                yield [fields.get(b"id", b"") for _, fields in page]
                start = f"({page[-1][0].decode()}"
            for group in groups:
                with self.redis.pipeline(transaction=True) as pipe:
                    pipe.hkeys(keys.graves(*place, group))
                    pipe.hkeys(keys.waiting(*place, group))
                    pipe.hkeys(keys.leaving(*place, group))
                    held = pipe.execute()
                yield [field for fields in held for field in fields]

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
