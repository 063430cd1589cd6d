"""From what buyers were told to the figures of a spike. Latencies begin when a request was meant to leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from loadtests.summary import percentile

BUCKET_MS = 10
GATEWAY, LIMITS, GATE = {"busy"}, {"rate_limited", "queue_full"}, {"sold_out"}
PERCENTILES = (0.5, 0.9, 0.99, 0.999, 1.0)

Line = dict[str, Any]


def of(lines: Sequence[Line], *, seconds: float) -> dict[str, Any]:
    """seconds: over how many the sends were meant to be spread.

    shed: refused by the gateway's two limits. limited: by the limits per user, per address, or of the queue's length.
    errors: whatever else is no order. p50_ms, p99_ms: of the admitted.
    """
    fates = Counter(fate(line) for line in lines)
    known = {"admitted", *GATEWAY, *LIMITS, *GATE}
    answered = [line for line in lines if "at_s" in line]
    answered_s = max((line["at_s"] for line in answered), default=0.0)
    admitted = [line["ms"] for line in answered if fate(line) == "admitted"]
    return {
        "offered": len(lines),
        "offered_seconds": seconds,
        "answered": len(answered),
        "answered_seconds": digits(answered_s),
        "rate_per_s": digits(len(answered) / answered_s) if answered_s else 0.0,  # answers a second, first to last
        "admitted": fates["admitted"],
        "shed": sum(fates[code] for code in GATEWAY),
        "limited": sum(fates[code] for code in LIMITS),
        "sold_out": sum(fates[code] for code in GATE),
        "errors": sum(number for code, number in fates.items() if code not in known),
        "answers": dict(fates.most_common()),
        "p50_ms": digits(percentile(admitted, 0.50)),
        "p99_ms": digits(percentile(admitted, 0.99)),
        "latency_ms": {
            name: {str(share): digits(percentile(of_these, share)) for share in PERCENTILES}
            for name, of_these in _by_kind(answered).items()
        },
    }


def over_time(lines: Iterable[Line]) -> list[dict[str, float]]:
    """Per 10 ms after T0: requests meant to leave, and answers that came, by what they said."""
    offered: Counter[int] = Counter()
    came: dict[str, Counter[int]] = {name: Counter() for name in ("admitted", "sold_out", "shed", "other")}
    for line in lines:
        offered[int(line["due_s"] * 1000 / BUCKET_MS)] += 1
        if "at_s" in line:
            came[_kind(line)][int(line["at_s"] * 1000 / BUCKET_MS)] += 1
    last = max([*offered, *(bucket for counts in came.values() for bucket in counts)], default=-1)
    return [
        {"s": n * BUCKET_MS / 1000, "offered": offered[n], **{name: counts[n] for name, counts in came.items()}}
        for n in range(last + 1)
    ]


def funnel(figures: dict[str, Any]) -> list[tuple[str, int]]:
    """How many came as far as each of the four layers, and how many got an order."""
    at_limits = figures["offered"] - figures["shed"]
    at_gate = at_limits - figures["limited"] - figures["errors"]
    return [
        ("offered to the gateway", figures["offered"]),
        ("let through to the web process", at_limits),
        ("past pass and limits, at the admission gate", at_gate),
        ("admitted to the queue", figures["admitted"]),
    ]


def formula(points: Sequence[dict[str, float]], seconds: Sequence[float], *, worked_off_per_s: float) -> list[float]:
    """The backlog there should be at these seconds: what was admitted by then, less what the consumers' cap allows."""
    admitted = [(point["s"], point["admitted"]) for point in points]
    found = []
    for second in seconds:
        backlog, before = 0.0, 0.0
        for at, number in admitted:
            if at > second:
                break
            backlog = max(0.0, backlog - (at - before) * worked_off_per_s) + number
            before = at
        found.append(max(0.0, backlog - max(0.0, second - before) * worked_off_per_s))
    return found


def digits(value: float, significant: int = 3) -> float:
    """Rounded to three significant digits: more would say more than was measured."""
    return float(f"{value:.{significant}g}")


def fate(line: Line) -> str:
    if line["outcome"] == "ok":
        return "admitted"
    return "no_answer" if "at_s" not in line else str(line.get("code"))


def _kind(line: Line) -> str:
    code = fate(line)
    if code in GATEWAY:
        return "shed"
    return code if code in {"admitted", "sold_out"} else "other"


def _by_kind(lines: Sequence[Line]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"all": [line["ms"] for line in lines]}
    for line in lines:
        found.setdefault(_kind(line), []).append(line["ms"])
    return found
