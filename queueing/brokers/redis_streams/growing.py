"""Splitting the partitions of a topic, one after the other, while everybody goes on.

Broken off anywhere, it is finished by doing it again: the new partition is made and made known before anybody can
produce to it, and one script turns the old one over. Whoever produces by what was true before is refused, and told.
"""

from __future__ import annotations

from queueing import keys
from queueing.brokers.redis_streams.base import speaks_broker
from queueing.brokers.redis_streams.producing import Producing
from queueing.errors import BrokerUnavailable, CannotGrow, UnknownTopic
from queueing.layout import Split, split_that_made, splits

TRIES = 10_000  # pages of delayed messages of an earlier split


class Growing(Producing):
    @speaks_broker
    def grow(self, topic: str, partitions: int) -> None:
        declared = self.topics.get(topic)
        if declared is None:
            raise UnknownTopic(f"topic {topic!r} is not declared")
        if declared.dynamic:
            raise CannotGrow(f"topic {topic!r} is dynamic: its partitions are its keys")
        first = self._firsts[topic] = self._layout(topic).first
        try:
            steps = list(splits(first, partitions))
        except ValueError as error:
            raise CannotGrow(f"topic {topic!r}: {error}") from error
        for split in steps:
            self._split(topic, split)

    def _split(self, topic: str, split: Split) -> None:
        self._scripts["split_prepare"](keys=[keys.meta(topic, split.child)], args=[split.generation])
        self.ensure_partition(topic, split.child)
        where = (topic, split.partition)
        for _ in range(TRIES):
            switched = self._scripts["split_switch"](
                keys=[keys.log(*where), keys.meta(*where)], args=[split.generation]
            )
            if switched >= 0 and self._sort_later(where):
                return
            if switched < 0:
                self._finish_earlier(topic, split.partition)
        raise BrokerUnavailable(f"{topic}/{split.partition}: delayed messages of an earlier split do not move")

    def _finish_earlier(self, topic: str, partition: str) -> None:
        """Delayed messages still move from this partition, or to it."""
        self._sort_later((topic, partition))
        made_by = split_that_made(partition, self._firsts[topic])
        if made_by is not None:
            self._sort_later((topic, made_by.partition))
