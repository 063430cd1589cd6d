"""Dead letters a page at a time, out of any number, in bounded time."""

from __future__ import annotations

import time
from typing import NamedTuple

from queueing.console.choosing import Choice, candidates
from queueing.console.letters import CursorToken, DeadLetter
from queueing.console.link import client
from queueing.dead import Cursor

PAGE = 100
LONGEST_S = 1.0  # a filter may match few of very many; then the page says how far it has looked


class Page(NamedTuple):
    """next: where the next one begins, "" when nothing is left. looked: how many letters it took; out_of_time: there
    may be more that match behind `next`."""

    letters: list[DeadLetter]
    next: str
    looked: int
    out_of_time: bool


def read_page(choice: Choice, *, past: Cursor | None, size: int = PAGE, longest_s: float = LONGEST_S) -> Page:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    until = time.monotonic() + longest_s
    found: list[DeadLetter] = []
    last = past
    looked = 0
    for buried in candidates(choice, client(), past=past):
        if len(found) == size:  # and there is one more
            return Page(found, _token(last), looked, out_of_time=False)
        looked += 1
        last = buried.cursor
        if choice.matches(buried):
            found.append(DeadLetter.of(buried))
        if time.monotonic() > until:
            return Page(found, _token(last), looked, out_of_time=True)
    return Page(found, "", looked, out_of_time=False)


def _token(cursor: Cursor | None) -> str:
    return CursorToken.of(cursor).text if cursor else ""
