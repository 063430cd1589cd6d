"""`make spike`: 100,000 orders in one second against the whole stack, then the audit over what buyers were told.

Everything that is not the second itself comes before T0: users, passes, connections, the bytes of each request. Passes
are made by `manage.py passes` with the server's own function, in one go: 100,000 log-ins and puzzles, which cost a
shopper's browser a second each on purpose, would take this machine a day, and are no part of the second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import spike_figures, spike_report
from loadtests.conduct import conduct
from loadtests.counters import Counters, difference, units_left, watching_the_backlog
from loadtests.generator import Fired, fire, open_sale, plan_for
from loadtests.lag import wait_until
from loadtests.machine import machine
from loadtests.spike_verdict import rows, thresholds
from loadtests.stack import BASE, Stack, StackFailed

SCOPE = (
    "It tests the rate of requests: an edge that pipelines them on kept connections. It does not test 100,000 TCP or "
    "TLS handshakes, nor 100,000 browsers. Latency begins when a request was meant to leave."
)
PIPELINED_PER_S, UNPIPELINED_PER_S = (
    100_000.0,
    20_000.0,
)  # by default: without pipelining each costs a packet of its own
SCOPE_UNPIPELINED = (
    "It tests the rate of requests on kept connections, one at a time on each. It does not test TCP or TLS handshakes. "
    "Latency begins when a request was meant to leave."
)
WORKED_OFF_PER_S = 1_000  # the cap of the group `orders`
RULES = range(100)  # the audit's exit code counts broken rules


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return conduct(
        "spike",
        lambda stack: run(stack, options),
        reports=options.reports,
        lines=spike_report.lines,
        page=spike_report.page,
    )


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before = machine()
    with tempfile.TemporaryDirectory(prefix="sluice-spike-") as name:
        folder = Path(name)
        offered = round(options.rate * options.seconds)
        counters = Counters(stack.url)
        rehearsed = _rehearse(stack, folder, counters, options) if options.rehearsal else None
        sale, passes = open_sale(stack, folder, shoppers=offered, stock=options.stock, prefix="spike")
        plan = plan_for(
            stack.url, sale=sale, passes=passes, folder=folder, rate=options.rate, seconds=options.seconds,
            connections=options.connections, give_up_s=options.give_up, processes=options.processes,
            depth=options.depth, pipelined=not options.unpipelined,
        )  # fmt: skip
        backlog: list[tuple[float, int]] = []
        started_at = datetime.now(UTC)
        appended, before_it = counters.appended(), counters.reading()
        with watching_the_backlog(counters, backlog):
            fired = fire(plan)
            # Before anything else is asked of the shop: the gateway counts that, too.
            taken = counters.taken_since(before_it)
            print("All answers are in; waiting until every order is worked off, then the audit", flush=True)
            told = options.reports / "spike-history.jsonl"
            told.write_bytes(fired.told + (rehearsed.told if rehearsed else b""))
            audit = json.loads(
                stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
            )
    lines = fired.lines()
    points = spike_figures.over_time(lines)
    result = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "scope": SCOPE if plan.pipelined else SCOPE_UNPIPELINED,
        **spike_figures.of(lines, seconds=plan.seconds),
        "stock": options.stock,
        "rates": {name: getattr(options, name) for name in ("rate", "orders_rate", "orders_burst", "gateway_rate")},
        "generator": {
            "processes": plan.processes,
            "connections": plan.connections,
            "pipelined": plan.pipelined,
            "written_seconds": spike_figures.digits(fired.written_s),
            "rehearsal": options.rehearsal,
            "passes": "made by manage.py passes before T0, with the server's own function",
        },
        "alone": stack.alone,
        "server": {
            "requests": taken.by_others(offered),
            "requests_with_the_house": taken.counted,
            "appended": difference(counters.appended(), appended),
            "left": units_left(stack, plan.sale_id),
        },
        "locust": fired.locust,
        "audit": audit,
        "over_time": points,
        "backlog": _backlog(backlog, fired.t0, points),
        "machine": before,
    }
    result["funnel"] = spike_figures.funnel(result)
    result["rows"] = [row.as_json() for row in rows(result, options)]
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def _rehearse(stack: Stack, folder: Path, counters: Counters, options: argparse.Namespace) -> Fired:
    """A few thousand orders of another sale, before anything is counted: whatever was just started takes its memory
    from the system page by page in its first second, and a shop that opens a sale has served its visitors before."""
    place = folder / "rehearsal"
    place.mkdir()
    print(f"A rehearsal first: {options.rehearsal:,} orders of another sale, which are in no figure", flush=True)
    sale, passes = open_sale(stack, place, shoppers=options.rehearsal, stock=options.rehearsal, prefix="spike")
    plan = plan_for(
        stack.url, sale=sale, passes=passes, folder=place, rate=options.rate, seconds=options.rehearsal / options.rate,
        connections=options.connections, give_up_s=options.give_up, depth=options.depth,
        pipelined=not options.unpipelined,
    )  # fmt: skip
    fired = fire(plan)
    print("Waiting until the rehearsal is worked off", flush=True)
    with contextlib.suppress(StackFailed):  # then the audit has more to wait for
        wait_until(lambda: counters.on_its_way() == 0, within_s=options.rest, what="the rehearsal is not at rest")
    return fired


def _backlog(seen: list[tuple[float, int]], t0: float, points: list[dict[str, float]]) -> list[dict[str, float]]:
    seconds = [at - t0 for at, _ in seen]
    wanted = spike_figures.formula(points, seconds, worked_off_per_s=WORKED_OFF_PER_S)
    rows = [
        {"s": round(s, 2), "backlog": lag, "formula": round(expected)}
        for s, (_, lag), expected in zip(seconds, seen, wanted, strict=True)
        if s >= 0
    ]
    empty = next((n for n, row in enumerate(rows) if n > 2 and not row["backlog"] and not row["formula"]), len(rows))
    return rows[: empty + 1]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make spike", description=f"An open-loop spike of orders. {SCOPE}")
    parser.add_argument(
        "--rate", type=float, help=f"requests a second ({PIPELINED_PER_S:,.0f}; unpipelined {UNPIPELINED_PER_S:,.0f})"
    )
    parser.add_argument("--seconds", type=float, default=1, help="for how long")
    parser.add_argument("--processes", type=int, default=1, help="generator processes; one drives 100,000 a second")
    parser.add_argument(
        "--connections",
        type=int,
        default=1024,
        help="kept connections of all processes; more than may be under way at the gateway (ORDERS_IN_FLIGHT), or no "
        "refusal passes an order that waits",
    )
    parser.add_argument("--depth", type=int, default=16, help="requests that travel together on a connection")
    parser.add_argument("--unpipelined", action="store_true", help="wait for each answer before the next request")
    parser.add_argument("--rehearsal", type=int, default=5_000, help="orders of another sale before; 0: none")
    parser.add_argument("--stock", type=int, default=5_000, help="units in the sale, one per shopper")
    parser.add_argument("--give-up", type=float, default=30, help="seconds after the last send to wait for answers")
    parser.add_argument("--answered-within", type=float, default=0.5, help="seconds after the last send, at most")
    parser.add_argument("--p99-ms", type=float, default=300, help="of the admitted, from the intended send")
    parser.add_argument("--rest", type=float, default=300, help="seconds the audit waits for rest")
    parser.add_argument("--reports", type=Path, default=BASE / "reports")
    for name, default in (("orders-rate", 5_000), ("orders-burst", 250), ("gateway-rate", 10_000)):
        variable = name.replace("-", "_").upper()
        parser.add_argument(
            f"--{name}", type=float, default=float(os.environ.get(variable, default)), help=f"the shop's {variable}"
        )
    options = parser.parse_args(arguments)
    options.rate = options.rate or (UNPIPELINED_PER_S if options.unpipelined else PIPELINED_PER_S)
    return options
