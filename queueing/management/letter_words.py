"""Dead letters as a terminal shows them: as rows, one in full, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from queueing.console import words
from queueing.console.letters import DeadLetter

PAYLOAD = 4_000  # characters on a terminal; --json has all of it
HEAD = ["GROUP", "EVENT", "KEY", "ID", "ATTEMPTS", "REPLAYS", "FIRST FAILURE (UTC)", "LAST FAILURE", "REASON"]


def rows(letters: Sequence[DeadLetter]) -> list[list[str]]:
    """Under HEAD."""
    return [
        [
            one.group,
            one.event[:40],
            one.key[:36],
            one.id[:36],
            str(one.parked.attempts),
            f"{one.parked.replays}{' quarantined' if one.parked.quarantined else ''}",
            f"{one.first_failed_at:%Y-%m-%d %H:%M:%S}",
            f"{one.last_failed_at:%Y-%m-%d %H:%M:%S}",
            " ".join(one.reason.split())[:80],
        ]
        for one in letters
    ]


def in_full(letter: DeadLetter) -> str:
    facts = "\n".join(f"{name:<16}{value}" for name, value in _facts_in_words(letter))
    before = "".join(f"\n{at:%Y-%m-%d %H:%M:%S} UTC, {attempt}: {why}" for at, attempt, why in letter.history)
    before = f"\n\nBefore that:{before}" if before else ""
    payload = _cut(letter.payload, letter.hidden_characters)
    return f"{facts}{before}\n\n{payload}\n\n{letter.traceback or 'No traceback.'}\n"


def facts_of(letter: DeadLetter) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(letter.parked)
    return {
        "group": letter.group,
        "buried_at_ms": letter.buried_at_ms,
        **facts,
        "hidden_characters": letter.hidden_characters,
    }


def _facts_in_words(letter: DeadLetter) -> list[tuple[str, str]]:
    parked = letter.parked
    replays = f"{parked.replays}{', quarantined' if parked.quarantined else ''}"
    return [
        ("group", letter.group),
        ("message", letter.id),
        ("event", f"{letter.event}, version {parked.version}"),
        ("key", letter.key),
        ("from", letter.origin),
        ("produced", f"{letter.produced_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("attempts", str(parked.attempts)),
        ("replays", replays),
        ("first failure", f"{letter.first_failed_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("last failure", f"{letter.last_failed_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("buried", f"{letter.buried_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("reason", letter.reason),
    ]


def _cut(payload: str, hidden: int) -> str:
    hidden += max(0, len(payload) - PAYLOAD)
    return f"{payload[:PAYLOAD]}\n… and {words.count(hidden)} more characters; --json has them" if hidden else payload
