"""A position in a partition's log, measured in entries, and a group put there."""

from __future__ import annotations

from typing import Any, NamedTuple

from queueing import keys
from queueing.broker import BEGINNING, END, Position

PAGE = 5_000
TRIES = 100  # each one more only when something was trimmed just then


class Place(NamedTuple):
    """What seek.lua wants to know about a position."""

    last: str  # the offset before it; "0-0" for the beginning, "$" for the end
    below: int  # entries ever appended before it
    trimmed: int  # of them, when they were counted
    beyond: int  # entries from it to the end


def seek(client: Any, script: Any, where: tuple[str, str, str], to: Position, *, move: bool) -> bool:
    """Let a group begin at a position, or move it there. False: it has begun already, and was not to be moved.

    where: topic, partition, group.
    """
    topic, partition, group = where
    for _ in range(TRIES):
        # The beginning and the end are known to the script itself.
        place = Place({BEGINNING: "0-0", END: "$"}[to], 0, 0, 0) if to in (BEGINNING, END) else None
        place = place or measure(client, (topic, partition), to)
        done = script(
            keys=[keys.log(topic, partition), keys.meta(topic, partition), keys.counters(*where), keys.series(*where)],
            args=[group, place.last, place.below, place.trimmed, "move" if move else "start"],
        )
        if done >= 0:
            return bool(done)
    raise RuntimeError(f"{topic}/{partition} was trimmed {TRIES} times while {to} was looked up")


def measure(client: Any, where: tuple[str, str], to: Position) -> Place:
    """Count the entries before a position, page by page and outside any script: a log may be long.

    Raises:
        ValueError: this is no position.
    """
    log = keys.log(*where)
    with client.pipeline(transaction=True) as pipe:
        pipe.hmget(keys.meta(*where), "appended", "trimmed")
        pipe.xlen(log)
        pipe.xrevrange(log, count=1)
        (appended, trimmed), kept, newest = pipe.execute()
    appended, trimmed = int(appended or 0), int(trimmed or 0)
    if to == BEGINNING:
        return Place("0-0", trimmed, trimmed, kept)
    if to == END:
        return Place("$", appended, trimmed, 0)
    bound = f"{to}-0" if isinstance(to, int) else _offset(to)
    if not newest or parts(newest[0][0]) < parts(bound):
        # Not "$": what is appended between this look and the script may lie beyond the position.
        return Place(newest[0][0].decode() if newest else "0-0", appended, trimmed, 0)
    below, last, start = 0, "0-0", "-"
    while True:
        page = client.xrange(log, min=start, max=f"({bound}", count=PAGE)
        below += len(page)
        if page:
            last = page[-1][0].decode()
            start = f"({last}"
        if len(page) < PAGE:
            return Place(last, trimmed + below, trimmed, kept - below)


def parts(offset: str | bytes) -> tuple[int, int]:
    ms, _, n = (offset.decode() if isinstance(offset, bytes) else offset).partition("-")
    return int(ms), int(n)


def _offset(text: str) -> str:
    ms, dash, n = text.partition("-")
    if not (dash and ms.isdigit() and n.isdigit()):
        raise ValueError(f"{text!r} is no offset; one looks like 1763641421000-0")
    return text
