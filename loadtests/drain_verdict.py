"""What a drain must have been, and whether it was; and its rows, as `make bench` writes them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from benchmarks.row import Row
from loadtests.spike_verdict import Threshold, at_most, exactly, of_gateway

SEEDS_PER_S, SEEDS_EMPTY_S = 1_000, 99.0  # 99,000 orders


def thresholds(result: dict[str, Any], options: argparse.Namespace) -> list[Threshold]:
    wanted = options.orders * len(result["drains"])
    server = result["server"]
    found = []
    for mode, one in result["drains"].items():
        found.append(exactly(f"{mode}: orders waiting before", one["peak"], options.orders))
        if one["empty_s"] is None:
            found.append(exactly(f"{mode}: the queue was empty in the end", False, True))
        elif mode == "capped":
            found.append(at_most("time to empty: % off the formula", one["off_pct"], options.within_pct))
            found.append(at_most("backlog: % of its peak off the formula", one["deviation_pct"], options.within_pct))
        elif mode == "others paused":
            found.append(at_most("others paused: seconds to empty", one["empty_s"], options.empty_within))
    found += [
        at_most("p99 of the acknowledgement, ms", result["p99_ms"], options.p99_ms),
        exactly("orders admitted", result["admitted"], wanted),
        exactly("errors", result["errors"], 0),
        exactly("the queue's count of admitted orders", server["appended"], result["admitted"]),
        exactly("units left in the shop", server["left"], 0),
        exactly("Locust's count of requests", sum(row["requests"] for row in result["locust"]), result["offered"]),
        exactly("audit: broken rules", result["audit"]["broken"], 0),
    ]
    if server["requests"] is not None:
        found.append(of_gateway(result))
    return found


def rows(result: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """`ratio` is ours / theirs; of times the target is the greatest that counts as reached."""
    for mode, one in result["drains"].items():
        if one["empty_s"] is None:
            continue
        if mode == "capped":
            name, most = f"{one['peak']:,} orders at {one['per_s']:,.0f}/s", 1 + options.within_pct / 100
            yield Row(name, "s", one["empty_s"], "backlog / rate", one["formula_s"], most, at_most=True)
        else:
            target = options.empty_within / SEEDS_EMPTY_S if mode == "others paused" else None
            name, seeds = f"{one['peak']:,} orders, {mode}", f"as many at {SEEDS_PER_S:,}/s"
            yield Row(name, "s", one["empty_s"], seeds, one["peak"] / SEEDS_PER_S, target, at_most=True)
    if result["p99_ms"]:
        name = f"p99 answer at {options.fill_rate:,.0f} orders/s"
        yield Row(name, "ms", result["p99_ms"], "what was promised", options.p99_ms, 1.0, at_most=True)
