"""When a number turns amber or red, and the word that says so: not everybody sees colours."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["", "amber", "red", "unknown"]


class Limit(NamedTuple):
    amber: float  # from here on
    amber_word: str
    red: float
    red_word: str


LIMITS = {
    "lag": Limit(1_000, "high", 10_000, "very high"),  # where consumers are taken away, and where they are added
    "oldest_age_ms": Limit(10_000, "late", 60_000, "very late"),
    "parked": Limit(1, "waiting", 1_000, "many"),
    "dead": Limit(1, "to look at", 100, "many"),
    "drain_s": Limit(30, "slow", 120, "very slow"),
    "missing": Limit(1, "fewer than wanted", 4, "far fewer than wanted"),  # consumers
    "nobody": Limit(1, "nobody works", 1, "nobody works"),
    "outbox": Limit(1_000, "high", 10_000, "very high"),
    "beat_ms": Limit(5_000, "late", 15_000, "silent"),
}


def level(name: str, value: float | None) -> tuple[Level, str]:
    """The level and its word. A name without limits is never high."""
    if value is None:
        return "unknown", ""
    limit = LIMITS.get(name)
    if limit is None or value < limit.amber:
        return "", ""
    return ("red", limit.red_word) if value >= limit.red else ("amber", limit.amber_word)
