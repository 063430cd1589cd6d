"""Splitting the partitions of a topic, one after the other, while everybody goes on.

Broken off anywhere, it is finished by doing it again: the new partition is made and made known before anybody can
produce to it, and one script turns the old one over. Whoever produces by what was true before is refused, and told.
"""

from __future__ import annotations

from collections.abc import Sequence

from queueing import keys
from queueing.brokers.redis_layout import Grown, read_growth
from queueing.brokers.redis_streams.base import speaks_broker
from queueing.brokers.redis_streams.producing import Producing
from queueing.errors import BrokerUnavailable, CannotGrow, UnknownTopic
from queueing.layout import Split, split_that_made, splits
from queueing.topic import Topic

TRIES = 10_000  # pages of delayed messages of an earlier split


class Growing(Producing):
    @speaks_broker
    def grow(self, topic: str, partitions: int) -> None:
        self._growing(topic)
        first = self._firsts[topic] = self._layout(topic).first
        try:
            steps = list(splits(first, partitions))
        except ValueError as error:
            raise CannotGrow(f"topic {topic!r}: {error}") from error
        for split in steps:
            self._split(topic, split)

    @speaks_broker
    def growth(self, topic: str, groups: Sequence[str], *, becomes: int | None = None) -> Grown:
        """How far a topic has grown, and these groups with it; see redis_layout.read_growth.

        Raises:
            CannotGrow, UnknownTopic: as `grow`.
        """
        return read_growth(self.redis, self._growing(topic), groups, becomes=becomes)

    def _growing(self, topic: str) -> Topic:
        declared = self.topics.get(topic)
        if declared is None:
            raise UnknownTopic(f"no topic is called {topic!r}; there are: {', '.join(sorted(self.topics))}")
        if declared.dynamic:
            raise CannotGrow(f"topic {topic!r} is dynamic: its partitions are its keys")
        return declared

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
