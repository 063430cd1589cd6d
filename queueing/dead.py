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


class Cursor(NamedTuple):
    """The last letter somebody looked at, in the order of all places: the same message may be dead in two groups."""

    mark: Mark
    place: Place


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

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.mark, self.place)


Page = Callable[[Place, Mark | None], Sequence[Buried]]


def in_order_of_burial(
    page: Page,
    places: Iterable[Place],
    *,
    newest_first: bool = True,
    since_ms: int | None = None,
    before_ms: int | None = None,
    past: Cursor | None = None,
) -> Iterator[Buried]:
    """The dead letters of many places, one after the other, holding no more than a page of each.

    page: what lies beyond a mark in a place, in the same direction. What is moved away behind us does not disturb it.
    past: go on behind this one.
    """
    start, end = (before_ms, since_ms) if newest_first else (since_ms, before_ms)

    def walk(place: Place) -> Iterator[Buried]:
        mark = None if start is None else Mark(start)
        if past is not None:
            mark = past.mark if place <= past.place else _just_before(past.mark, newest_first=newest_first)
        while letters := page(place, mark):
            for buried in letters:
                if end is not None and (buried.buried_at_ms < end) == newest_first:
                    return
                if past is None or _is_beyond(buried.cursor, past, newest_first=newest_first):
                    yield buried
            mark = letters[-1].mark

    # Those of one mark come in the order of their places, whichever way we walk.
    return heapq.merge(*map(walk, sorted(places)), key=lambda buried: buried.mark, reverse=newest_first)


def _just_before(mark: Mark, *, newest_first: bool) -> Mark:
    """So that a page beyond it begins with the letter of this mark, or, going up, at most a few too early."""
    return Mark(mark.buried_at_ms, f"{mark.id}\0" if newest_first else mark.id[:-1])


def _is_beyond(letter: Cursor, past: Cursor, *, newest_first: bool) -> bool:
    if letter.mark == past.mark:
        return letter.place > past.place
    return (letter.mark < past.mark) == newest_first
