"""What a spike must have been, and whether it was."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.row import Row
from loadtests.spike_figures import digits

Threshold = dict[str, Any]  # name, value, limit, ok


def thresholds(result: dict[str, Any], options: argparse.Namespace) -> list[Threshold]:
    """Each is a statement about this run; one that can't be judged (no nginx to ask) is not made."""
    wanted = round(options.rate * options.seconds)
    within_s = options.seconds + options.answered_within
    # What a bucket lets through while answers still come.
    passable = round(options.orders_rate * result["answered_seconds"] + options.orders_burst)
    server = result["server"]
    found = [
        exactly("requests offered", result["offered"], wanted),
        exactly("requests answered", result["answered"], wanted),
        at_most("last answer, seconds after T0", result["answered_seconds"], digits(within_s)),
        exactly("errors", result["errors"], 0),
        at_most("admitted: orders rate * time + burst", result["admitted"], passable),
        at_most("admitted: the stock", result["admitted"], result["stock"]),
        at_most("p99 of the admitted, ms", result["p99_ms"], options.p99_ms),
        exactly("the queue's count of admitted orders", server["appended"], result["admitted"]),
        exactly("units left in the shop", server["left"], result["stock"] - result["admitted"]),
        exactly("Locust's count of requests", sum(row["requests"] for row in result["locust"]), result["offered"]),
        exactly("audit: broken rules", result["audit"]["broken"], 0),
    ]
    if server["requests"] is not None:
        found.append(of_gateway(result))
    if result["sold_out"]:
        found.append(exactly("sold out only when all is sold: admitted", result["admitted"], result["stock"]))
    return found


def rows(result: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """As `make bench` writes them; of times the target is the greatest ratio that counts as reached."""
    offered = f"{result['offered']:,} offered in {options.seconds:g} s"
    promised = options.seconds + options.answered_within
    yield Row(f"{offered}, answered", "s", result["answered_seconds"], "what was promised", promised, 1.0, at_most=True)
    if result["p99_ms"]:
        yield Row("p99 of the admitted", "ms", result["p99_ms"], "what was promised", options.p99_ms, 1.0, at_most=True)


def of_gateway(result: dict[str, Any]) -> Threshold:
    """Exactly ours in a shop of our own; one that runs already has other visitors, an operator say."""
    judged = exactly if result["alone"] else at_least
    return judged("the gateway's count of requests", result["server"]["requests"], result["offered"])


def exactly(name: str, value: Any, limit: Any) -> Threshold:
    return {"name": name, "value": value, "limit": limit, "ok": value == limit}


def at_least(name: str, value: float, limit: float) -> Threshold:
    return {"name": name, "value": value, "limit": limit, "ok": value >= limit}


def at_most(name: str, value: float, limit: float) -> Threshold:
    return {"name": name, "value": value, "limit": limit, "ok": value <= limit}
