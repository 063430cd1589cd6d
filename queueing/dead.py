"""Dead letters: each where it lies, and all of them in the order of their burial."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from queueing.brokers.envelope import Parked

Place = tuple[str, str, str]  # topic, partition, group


class Mark(NamedTuple):
    """A place in the order of burial. Letters come and go around it; it stays where it is."""

    buried_at_ms: int
    id: str = ""


@dataclass(frozen=True, slots=True)
class Buried:
    """buried_at_ms: on the broker's clock. seal: of this burial of the message: whoever moves the letter shows it, so
    that a message which was replayed and failed again meanwhile is not taken for the one that was seen."""

    group: str
    letter: Parked
    buried_at_ms: int
    seal: str

    @property
    def place(self) -> Place:
        return self.letter.topic, self.letter.partition, self.group

    @property
    def mark(self) -> Mark:
        return Mark(self.buried_at_ms, self.letter.id)


Page = Callable[[Place, Mark | None], Sequence[Buried]]


def in_order_of_burial(
    page: Page,
    places: Iterable[Place],
    *,
    newest_first: bool = True,
    since_ms: int | None = None,
    before_ms: int | None = None,
) -> Iterator[Buried]:
    """The dead letters of many places, one after the other, holding no more than a page of each.

    page: what lies beyond a mark in a place, in the same direction. What is moved away behind us does not disturb it.
    """
    start, end = (before_ms, since_ms) if newest_first else (since_ms, before_ms)

    def walk(place: Place) -> Iterator[Buried]:
        mark = None if start is None else Mark(start)
        while letters := page(place, mark):
            for buried in letters:
                if end is not None and (buried.buried_at_ms < end) == newest_first:
                    return
                yield buried
            mark = letters[-1].mark

    return heapq.merge(*map(walk, places), key=lambda buried: buried.mark, reverse=newest_first)
