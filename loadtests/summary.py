"""From the history to figures. A wish is one key; an attempt is one line of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

BUCKET_MS = 100

Line = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def of(lines: Iterable[Line]) -> dict[str, Any]:
    """offered: wishes. answered: those that somebody knows about. errors: refusals that are not a sale's own, and
    unknowns. Latencies are over all answered attempts to buy, from pressing the button to the whole answer."""
    place = [line for line in lines if line["op"] == "place"]
    wishes: dict[str, str] = {}
    for line in place:  # the last line of a wish decides, but a yes stays a yes
        if wishes.get(line["key"]) != "admitted":
            wishes[line["key"]] = _fate(line)
    fates = Counter(wishes.values())
    waited = [line["ms"] for line in place if line["outcome"] != "info"]
    known = {"admitted", "sold_out"}
    return {
        "offered": len(wishes),
        "answered": len(wishes) - fates["unknown"],
        "admitted": fates["admitted"],
        "sold_out": fates["sold_out"],
        "errors": sum(number for fate, number in fates.items() if fate not in known),
        "unknown": fates["unknown"],
        "refusals": {fate: number for fate, number in fates.items() if fate not in {*known, "unknown"}},
        "attempts": len(place),
        "p50_ms": percentile(waited, 0.50),
        "p99_ms": percentile(waited, 0.99),
        "slowest_ms": max(waited, default=0.0),
        "paid": sum(1 for line in _lines(lines, "pay") if line["outcome"] == "ok"),
        "shipped": sum(1 for line in _lines(lines, "follow") if line.get("status") in {"shipped", "delivered"}),
    }


def over_time(lines: Iterable[Line]) -> list[dict[str, float]]:
    """Answers to attempts to buy, in buckets of BUCKET_MS from the first of them."""
    place = [line for line in lines if line["op"] == "place"]
    if not place:
        return []
    begin = min(line["at"] - line["ms"] for line in place)
    buckets: dict[int, list[Line]] = {}
    for line in place:
        buckets.setdefault(int((line["at"] - begin) // BUCKET_MS), []).append(line)
    found = []
    for number in range(max(buckets) + 1):
        inside = buckets.get(number, [])
        fates = Counter(_fate(line) for line in inside)
        waited = [line["ms"] for line in inside]
        found.append(
            {
                "s": number * BUCKET_MS / 1000,
                "admitted": fates["admitted"],
                "sold_out": fates["sold_out"],
                "other": len(inside) - fates["admitted"] - fates["sold_out"],
                "p50_ms": percentile(waited, 0.50),
                "p99_ms": percentile(waited, 0.99),
            }
        )
    return found


def _fate(line: Line) -> str:
    if line["outcome"] == "ok":
        return "admitted"
    return "unknown" if line["outcome"] == "info" else str(line.get("code"))


def _lines(lines: Iterable[Line], op: str) -> list[Line]:
    return [line for line in lines if line["op"] == op]
