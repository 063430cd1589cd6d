"""Which partitions a topic has, as Redis knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from queueing import keys
from queueing.layout import Split, generation_made, in_order, splits
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


class SplitSeen(NamedTuple):
    """done: the partition is split, and what is delayed has moved. waiting: groups that do not read the new one yet."""

    split: Split
    done: bool
    waiting: tuple[str, ...]


class Grown(NamedTuple):
    """How far a topic has grown: it has `partitions`, and `becomes` is where it is going."""

    partitions: int
    becomes: int
    unfinished: bool
    splits: list[SplitSeen]


def read_growth(client: Any, topic: Topic, groups: Iterable[str], *, becomes: int | None = None) -> Grown:
    """How a static topic stands in growing to `becomes`; by itself, that is what was broken off, or twice as many."""
    known = read_partitions(client, [topic])[topic.name]
    told = known.first << generation_made(int(known.partitions[-1]), known.first)
    pending = [seen for seen in _splits_seen(client, topic, known.first, told, groups) if not seen.done]
    aim = becomes or (told if pending else told * 2)
    seen = _splits_seen(client, topic, known.first, aim, groups)
    now = known.first + sum(each.done for each in seen)
    generation = max((each.split.generation for each in seen), default=0)
    return Grown(now, aim, bool(pending), [each for each in seen if each.split.generation == generation])


def _splits_seen(client: Any, topic: Topic, first: int, count: int, groups: Iterable[str]) -> list[SplitSeen]:
    found, names = list(splits(first, count)), list(groups)
    with client.pipeline(transaction=False) as pipe:
        for split in found:
            pipe.hmget(keys.meta(topic.name, split.partition), "generation", "splitting")
            for group in names:
                pipe.hget(keys.counters(topic.name, split.child, group), "open")
        replies = iter(pipe.execute())
    seen = []
    for split in found:
        generation, splitting = next(replies)
        opened = [next(replies) for _ in names]
        done = int(generation or 0) >= split.generation and int(splitting or 0) != split.generation
        waiting = [group for group, is_open in zip(names, opened, strict=True) if not is_open]
        seen.append(SplitSeen(split, done, tuple(waiting)))
    return seen
