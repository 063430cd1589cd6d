"""What a comparison must have been, and whether it was; and its row, as `make bench` writes it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.row import Row
from loadtests.spike_verdict import Threshold, at_least, exactly


def thresholds(result: dict[str, Any], options: argparse.Namespace) -> list[Threshold]:
    """Of the coupled shop only that it was what it claims to be: its errors are what the run is to show."""
    sides, count = result["sides"], result["orders"]
    chain, queue = sides["coupled, all well"], sides["queue, all well"]
    without = sides["queue, inventory stopped"]
    ratio = round(chain["p50_ms"] / queue["p50_ms"], 1) if queue["p50_ms"] else 0.0
    found = [
        at_least("median answer: the calls' / the queue's", ratio, options.ratio),
        at_least("coupled, all well: median ms, the sum of its calls", chain["p50_ms"], result["chain_ms"]),
        exactly("coupled, all well: errors", chain["errors"], 0),
        exactly("queue, all well: completed", queue["at_once"] + queue["later"], count),
        exactly("queue, inventory stopped: answered yes", without["admitted"], count),
        exactly("queue, inventory stopped: completed meanwhile", without["at_once"], 0),
        exactly("queue, inventory stopped: completed later", without["later"], count),
    ]
    for name, side in sides.items():
        found.append(exactly(f"{name}: Locust's count", sum(row["requests"] for row in side["locust"]), count))
        found.append(exactly(f"{name}: orders the shop knows", side["shop_says"], side["admitted"]))
    admitted = queue["admitted"] + without["admitted"]
    found.append(exactly("the queue's count of admitted orders", result["server"]["appended"], admitted))
    found.append(exactly("audit: broken rules", result["audit"]["broken"], 0))
    return found


def rows(result: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """`ratio` is ours / theirs; the target is the greatest that counts as reached."""
    chain, queue = result["sides"]["coupled, all well"], result["sides"]["queue, all well"]
    if chain["p50_ms"]:
        target = 1 / options.ratio
        yield Row("median answer", "ms", queue["p50_ms"], "three calls in turn", chain["p50_ms"], target, at_most=True)
