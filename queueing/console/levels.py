"""When a number turns amber or red. Said in words too: not everybody sees colours."""

from __future__ import annotations

from typing import Literal

Level = Literal["", "amber", "red", "unknown"]

WORDS: dict[Level, str] = {"": "", "amber": "high", "red": "very high", "unknown": ""}

# Amber from the first, red from the second.
LIMITS = {
    "lag": (1_000, 10_000),  # where consumers are taken away, and where they are added
    "oldest_age_ms": (10_000, 60_000),
    "dead": (1, 100),
    "drain_s": (30, 120),
    "outbox": (1_000, 10_000),
    "beat_ms": (5_000, 15_000),
}


def level(name: str, value: float | None) -> Level:
    """A name without limits is never high."""
    if value is None:
        return "unknown"
    amber, red = LIMITS.get(name, (float("inf"), float("inf")))
    return "red" if value >= red else "amber" if value >= amber else ""
