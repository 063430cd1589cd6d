"""Which partitions a topic has, as Redis knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from queueing import keys
from queueing.layout import in_order
from queueing.topic import Topic


class Known(NamedTuple):
    """first: how many a static topic began with."""

    first: int
    partitions: list[str]


def read_partitions(client: Any, topics: Iterable[Topic]) -> dict[str, Known]:
    """Topic → what is known of it; each partition comes before those that were split from it."""
    declared = list(topics)
    with client.pipeline(transaction=False) as pipe:
        for topic in declared:
            pipe.smembers(keys.partitions(topic.name))
            pipe.hget(keys.layout(topic.name), "first")
        replies = pipe.execute()
    found = {}
    for topic, members, first in zip(declared, replies[::2], replies[1::2], strict=True):
        began_with = int(first or topic.partitions)
        static = set() if topic.dynamic else set(map(str, range(began_with)))
        found[topic.name] = Known(began_with, in_order({name.decode() for name in members} | static))
    return found
