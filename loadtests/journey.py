"""`make shoppers`: a crowd at one sale from log-in to parcel, then the audit over what buyers were told.

Some hundreds of shoppers with real log-ins, puzzles, pages and payments, each waiting for every answer. It proves that
the sums are right under a crowd; what 100,000 requests a second do is `make spike`'s to show.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import history, report, summary
from loadtests.conduct import conduct
from loadtests.edge import source_for
from loadtests.machine import machine
from loadtests.plan import ALL_INSIDE, VARIABLE, Plan
from loadtests.stack import BASE, Stack, StackFailed

SCOPE = (
    "A small crowd: hundreds of shoppers with real log-ins, pages and payments. "
    "It shows that nothing is oversold, lost or doubled under a crowd; it does not show 100,000 requests a second."
)
P99_LIMIT_MS = 2_000  # on a machine that does nothing else
RULES = range(100)  # the audit's exit code counts broken rules


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return conduct(
        "shoppers", lambda stack: run(stack, options), reports=options.reports, lines=report.lines, page=report.page
    )


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before = machine()
    crowd = json.loads(stack.manage("shoppers", "--count", str(options.shoppers), "--json"))
    with tempfile.TemporaryDirectory(prefix="sluice-load-") as folder:
        told, sale_file = Path(folder) / "history.jsonl", Path(folder) / "sale"
        plan = Plan(
            usernames=crowd["usernames"],
            password=crowd["password"],
            history=str(told),
            sale_file=str(sale_file),
            log_ins_at_once=options.log_ins,
            seed=options.seed,
            source=source_for(stack.url),
        )
        started_at, began = datetime.now(UTC), time.monotonic()
        locust = _shoppers(stack, plan, Path(folder), options)
        seconds = time.monotonic() - began
        print("Everybody has gone home; waiting for rest, then the audit", flush=True)
        audit = json.loads(
            stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
        )
        lines = history.read(told)
        sale = sale_file.read_text() if sale_file.exists() else "0"
        if told.exists():
            shutil.copy(told, options.reports / "shoppers-history.jsonl")
    figures = summary.of(lines)
    result = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "scope": SCOPE,
        "shoppers": options.shoppers,
        "stock": options.stock,
        **figures,
        "server": {
            "admitted": audit["counts"]["admitted"],
            "orders": audit["counts"]["orders"],
            "sale": stack.get(f"/api/sales/{sale}"),
        },
        "locust": locust,
        "audit": audit,
        "over_time": summary.over_time(lines),
        "machine": before,
    }
    result["thresholds"] = thresholds(result, p99_ms=options.p99_ms)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def thresholds(result: dict[str, Any], *, p99_ms: float = P99_LIMIT_MS) -> list[dict[str, Any]]:
    wanted = min(result["stock"], result["offered"])
    found = [
        ("every shopper asked", result["offered"], result["shoppers"], result["offered"] == result["shoppers"]),
        ("units sold", result["admitted"], wanted, result["admitted"] == wanted),
        ("errors and unknowns", result["errors"], 0, result["errors"] == 0),
        ("p99 of buying, ms", result["p99_ms"], p99_ms, result["p99_ms"] <= p99_ms),
        ("audit: broken rules", result["audit"]["broken"], 0, result["audit"]["broken"] == 0),
    ]
    return [dict(zip(("name", "value", "limit", "ok"), each, strict=True)) for each in found]


def _shoppers(stack: Stack, plan: Plan, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Let them in, show how far they are, and return Locust's own statistics."""
    plan.write(folder / "plan.json")
    statistics = folder / "locust"
    command = [
        sys.executable, "-m", "locust", "-f", str(BASE / "loadtests" / "shopper.py"), "--headless", "--host", stack.url,
        "-u", str(options.shoppers), "-r", str(options.shoppers), "--run-time", f"{options.seconds:.0f}s",
        "--stop-timeout", "5", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0",
        "--json-file", str(statistics),
    ]  # fmt: skip
    environment = {**os.environ, VARIABLE: str(folder / "plan.json"), "PYTHONPATH": str(BASE)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip() == ALL_INSIDE:
                _schedule(stack, Path(plan.sale_file), options)
            elif " logged in " in line:  # our progress; Locust's tables are in the report
                print(line.rstrip(), flush=True)
    finally:
        if sys.exc_info()[0] is not None:
            process.kill()
        process.wait()
        process.stdout.close()
    if process.returncode != 0:
        raise StackFailed(f"locust exited with {process.returncode}; its complaints are above")
    found = sorted(folder.glob("locust*.json"))
    return [_row(entry) for entry in json.loads(found[0].read_text())] if found else []


def _schedule(stack: Stack, sale_file: Path, options: argparse.Namespace) -> None:
    """Everybody is inside: a sale that opens in a few seconds, told to all by a file that appears whole."""
    sale = json.loads(
        stack.manage(
            "open_sale", "--stock", str(options.stock), "--limit", "1", "--json",
            "--starts-in", str(options.starts_in), "--minutes", str(max(10.0, options.seconds / 60 + 5)),
        )
    )  # fmt: skip
    print(
        f"Sale {sale['sale']}: {options.stock} units for {options.shoppers} shoppers, open in {options.starts_in:g} s",
        flush=True,
    )
    unfinished = sale_file.with_suffix(".new")
    unfinished.write_text(str(sale["sale"]))
    unfinished.rename(sale_file)


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    """What of Locust's statistics says something: the rest is in its own units."""
    requests = entry["num_requests"]
    return {
        "name": entry["name"],
        "requests": requests,
        "failures": entry["num_failures"],
        "mean_ms": round(entry["total_response_time"] / requests, 1) if requests else 0,
        "slowest_ms": round(entry["max_response_time"] or 0, 1),
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make shoppers", description=SCOPE)
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--stock", type=int, default=50, help="units in the sale, one per shopper")
    parser.add_argument("--seconds", type=float, default=300, help="end after this, whoever is still there")
    parser.add_argument("--log-ins", type=int, default=4, help="how many log in at once, before the start")
    parser.add_argument("--starts-in", type=float, default=8, help="seconds from the last log-in to the start")
    parser.add_argument("--rest", type=float, default=120, help="seconds the audit waits for rest")
    parser.add_argument("--p99-ms", type=float, default=P99_LIMIT_MS, help="how long buying may take, 99 of 100 times")
    parser.add_argument("--seed", type=int, default=1, help="who pays, who declines first, who walks away")
    parser.add_argument("--reports", type=Path, default=BASE / "reports")
    return parser.parse_args(arguments)
