"""`make compare`: the same orders through three synchronous calls, and through the queue; then with inventory stopped.

Both shops are real processes on this machine and get the same requests at the same instants, one after the other.
*Stopped* is the same on both sides: the process that deducts stock is frozen (SIGSTOP) while buyers order, as a machine
that hangs is, and let go on afterwards. Then it is counted which orders came to something after all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import compare_report
from loadtests.compare_sides import Calls, Queue, Side, consumers_of, one_side
from loadtests.compare_verdict import rows, thresholds
from loadtests.conduct import conduct
from loadtests.counters import Counters, difference
from loadtests.coupled.running import CHAIN_MS, SERVICES, THREADS, TIMEOUT_S, coupled_shop
from loadtests.generator import fire, open_sale, plan_for
from loadtests.machine import machine
from loadtests.stack import BASE, Stack

SCOPE = (
    f"The coupled shop calls {', '.join(f'{name} ({ms} ms)' for name, ms in SERVICES.items())} in turn, from {THREADS} "
    f"threads with a time-out of {TIMEOUT_S:g} s; completed is an order that all three have answered. In the shop with "
    "the queue, completed is an order whose stock is deducted and whose payment may begin; paying is the buyer's. It "
    "shows what waiting costs, not which is the faster program: the calls take as long as the seeds say they do."
)
RULES = range(100)  # the audit's exit code counts broken rules


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return conduct(
        "compare",
        lambda stack: run(stack, options),
        reports=options.reports,
        lines=compare_report.lines,
        page=compare_report.page,
    )


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before, started_at, counters = machine(), datetime.now(UTC), Counters(stack.url)
    count = round(options.rate * options.seconds)
    appended = counters.appended()
    told = options.reports / "compare-history.jsonl"
    told.write_bytes(b"")
    sides: dict[str, Side] = {}
    with tempfile.TemporaryDirectory(prefix="sluice-compare-") as name, coupled_shop(Path(name)) as coupled:
        shops = [Calls(coupled, buyers=count), Queue(stack, consumers_of(stack, "inventory"))]
        sale, passes = open_sale(stack, Path(name), shoppers=count * 2, stock=count * 2, prefix="compare")
        bearers = passes.read_text().splitlines(keepends=True)
        for stopped in (False, True):
            title = "inventory stopped" if stopped else "all well"
            passes.write_text("".join(bearers[count:] if stopped else bearers[:count]))  # each may buy once
            for shop in shops:
                folder = Path(name) / f"{shop.name}-{stopped}"
                folder.mkdir()
                plan = plan_for(
                    shop.url, sale=sale, passes=passes, folder=folder, rate=options.rate, seconds=options.seconds,
                    connections=shop.connections, give_up_s=options.give_up,
                )  # fmt: skip
                print(f"\n{shop.name}, {title}: the same {count} orders, {options.rate:g} a second", flush=True)
                side, fired = one_side(shop, lambda plan=plan: fire(plan), stopped=stopped, settle_s=options.settle)
                sides[f"{shop.name}, {title}"] = side
                if shop is shops[1]:
                    with told.open("ab") as file:
                        file.write(fired.told)
        in_vain = len(coupled.done_by("inventory") & coupled.orders("failed"))
        print("\nNow the audit of the shop with the queue", flush=True)
        audit = json.loads(
            stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
        )
    result: dict[str, Any] = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "scope": SCOPE,
        "orders": count,
        "rate": options.rate,
        "chain_ms": CHAIN_MS,
        "sides": sides,
        "deducted_in_vain": in_vain,
        "server": {"appended": difference(counters.appended(), appended)},
        "audit": audit,
        "machine": before,
    }
    result["rows"] = [row.as_json() for row in rows(result, options)]
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make compare", description=SCOPE)
    parser.add_argument("--rate", type=float, default=20, help=f"orders a second; the chain can do {THREADS}")
    parser.add_argument("--seconds", type=float, default=15, help="for how long, each of four times")
    parser.add_argument("--ratio", type=float, default=100, help="how much sooner the median answer must be")
    parser.add_argument("--give-up", type=float, default=90, help="seconds after the last send to wait for answers")
    parser.add_argument("--settle", type=float, default=60, help="seconds to wait for orders that complete later")
    parser.add_argument("--rest", type=float, default=120, help="seconds the audit waits for rest")
    parser.add_argument("--reports", type=Path, default=BASE / "reports")
    return parser.parse_args(arguments)
