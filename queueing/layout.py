"""Which partition a key belongs to, as a topic grows: growth doubles, so p splits into p and p+n.

A partition of generation g has the keys with crc32(key) mod (first * 2**g) = its number. `first` is how many partitions
the topic began with, and they have generation 0. When p of generation g is split, it and the new p + first * 2**g have
generation g + 1: half of p's keys stay, half move to the new one, and no other partition is concerned.

So a producer needs no list that all agree on. It believes something of each partition, is refused by one that knows
better, and believes that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Split(NamedTuple):
    """partition hands half of its keys to child; both are of this generation then."""

    partition: str
    child: str
    generation: int

    @classmethod
    def of(cls, partition: str, generation: int, first: int) -> Split:
        return cls(partition, str(int(partition) + (first << generation - 1)), generation)

    def moves(self, key: str, first: int) -> bool:
        """Does this key of the partition belong to the child (or to one that was split from it later)?"""
        return zlib.crc32(key.encode()) % (first << self.generation) == int(self.child)


@dataclass(slots=True)
class Layout:
    """What a producer believes of one static topic. generations: partition → its generation, where it is not the one
    that it was made with."""

    first: int
    generations: dict[int, int] = field(default_factory=dict)

    def partition_of(self, key: str) -> str:
        code, count = zlib.crc32(key.encode()), self.first
        number, generation = code % count, 0
        if not self.generations:
            return str(number)
        while self.generation_of(number) > generation:
            count, generation = count * 2, generation + 1
            number = code % count
        return str(number)

    def generation_of(self, partition: int) -> int:
        if not self.generations:
            return 0
        return max(self.generations.get(partition, 0), generation_made(partition, self.first))

    def learn(self, partition: str, generation: int) -> None:
        self.generations[int(partition)] = generation


def generation_made(partition: int, first: int) -> int:
    """The generation in which a partition came into being; 0 for those a topic begins with."""
    return (partition // first).bit_length()


def split_that_made(partition: str, first: int) -> Split | None:
    """None: the topic began with it, or it is no number."""
    if not partition.isdigit() or int(partition) < first:
        return None
    generation = generation_made(int(partition), first)
    return Split(str(int(partition) - (first << generation - 1)), partition, generation)


def splits(first: int, count: int) -> Iterator[Split]:
    """What makes `count` partitions of `first`, in an order in which it can be done.

    Raises:
        ValueError: growth doubles, and this is no doubling.
    """
    if count < first or count % first or (count // first).bit_count() != 1:
        raise ValueError(f"growth doubles: {first} partitions become {first * 2}, {first * 4}, …, never {count}")
    for number in range(first, count):
        split = split_that_made(str(number), first)
        assert split is not None
        yield split


def in_order(partitions: set[str]) -> list[str]:
    """Sorted so that a partition comes before those that were split from it: 2 before 10."""
    return sorted(partitions, key=lambda name: (len(name), name))


def grown_from(partition: str, partitions: list[str], first: int) -> list[str]:
    """It, and what was split from it, and from those."""
    found = [partition]
    for other in in_order(set(partitions)):
        split = split_that_made(other, first)
        if split is not None and split.partition in found:
            found.append(other)
    return found
