"""The waiting room of a sale: who may order when, decided by one line in Redis.

Whoever joins draws a number, and keeps it through every refresh. Those who came before the start wait together; at the
start their numbers are shuffled by a seed that nobody saw before. Those who come later queue behind them. The *serving
number* rises by so many turns a second; it is public, and a browser computes its own place from its number, so that one
cached answer serves everybody. A turn that is not used within its time lapses, and the serving number rises by one more
in its place. A place never gets worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from inventory import keys, link
from inventory.script import script

ROUNDS, SPREAD, STEP, WORD = 6, 2654435761, 40503, 2**32


@dataclass(frozen=True, slots=True)
class Line:
    """What everybody may know. Turns are counted from 0; whose place is below `serving` may order.

    before: how many joined before the start; 0 until then. seed: empty until then.
    """

    mode: str  # on | closed
    serving: int
    joined: int
    before: int
    turns_per_s: int
    turn_s: int
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """word: joined | claimed | left | not_in_line | turn_lapsed | no_room | room_closed | ended | missing
    | rate_limited.

    number: -1 for none; milliseconds to wait for who is rate_limited.
    """

    word: str
    number: int


def place_of(number: int, *, before: int, seed: Sequence[int]) -> int:
    """Where a number stands in the line, from 0: the same as in lua/line.lua and in the browser."""
    if number >= before:
        return number
    half = 1
    while 4**half < before:
        half += 1
    side, drop = 2**half, 2 ** (32 - half)
    while True:
        left, right = divmod(number, side)
        for key in seed:
            left, right = right, (left + (right * SPREAD + key * STEP) % WORD // drop) % side
        number = left * side + right
        if number < before:
            return number


async def join(*, sale_id: int, user_id: int, client: str = "") -> Joined:
    """A number for this user, or the one it has.

    client: the address it comes from, whose questions are counted; '' is nobody's.

    Raises:
        GateUnavailable: unknown; ask again, it gives the same number.
    """
    async with link.bounded():
        return _joined(await script("join").arun(_keys(sale_id), _question("join", user_id, client)))


async def leave(*, sale_id: int, user_id: int, client: str = "") -> Joined:
    """Give the number back. Its turn is given on when it comes."""
    async with link.bounded():
        return _joined(await script("join").arun(_keys(sale_id), _question("leave", user_id, client)))


def join_sync(*, sale_id: int, user_id: int, client: str = "") -> Joined:
    """As `join`, for code without an event loop."""
    with link.gate_errors():
        return _joined(script("join").run(_keys(sale_id), _question("join", user_id, client)))


def leave_sync(*, sale_id: int, user_id: int, client: str = "") -> Joined:
    with link.gate_errors():
        return _joined(script("join").run(_keys(sale_id), _question("leave", user_id, client)))


def look_sync(*, sale_id: int, user_id: int) -> Joined:
    """What `join` would find, with nothing changed."""
    with link.gate_errors():
        return _joined(script("join").run(_keys(sale_id), ["look", user_id]))


def read_line(sale_id: int) -> Line | None:
    """The line now; None: no waiting room is on."""
    with link.gate_errors():
        reply = script("room").run([keys.gate(sale_id), keys.room(sale_id), keys.claims(sale_id)], [])
    if reply[0] == b"off":
        return None
    mode, serving, joined, before, turns_per_s, turn_s, seed = reply
    drawn = tuple(int(key) for key in seed.split(b",")) if seed else ()
    return Line(mode.decode(), serving, joined, before, turns_per_s, turn_s, drawn)


def _question(word: str, user_id: int, client: str) -> list[str | int | float]:
    """ARGV of join.lua."""
    return [word, user_id, *settings.RATE_PER_USER, *settings.RATE_PER_ADDRESS, client]


def _keys(sale_id: int) -> list[str]:
    return [keys.gate(sale_id), keys.line(sale_id), keys.room(sale_id), keys.claims(sale_id)]


def _joined(reply: Any) -> Joined:
    word, number = reply
    return Joined(word.decode(), number)
