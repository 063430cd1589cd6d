"""`make spike`: 100,000 orders in one second against the whole stack, then the audit over what buyers were told.

Everything that is not the second itself comes before T0: users, passes, connections, the bytes of each request. Passes
are made by `manage.py passes` with the server's own function, in one go: 100,000 log-ins and puzzles, which cost a
shopper's browser a second each on purpose, would take this machine a day, and are no part of the second.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests import history, spike_figures, spike_report
from loadtests.counters import Counters, watching_the_backlog
from loadtests.edge import source_for
from loadtests.machine import machine
from loadtests.spike_verdict import thresholds
from loadtests.stack import BASE, Stack, StackFailed, shop
from loadtests.volley import VARIABLE, SpikePlan

SCOPE = (
    "It tests the rate of requests: an edge that pipelines them on kept connections. It does not test 100,000 TCP or "
    "TLS handshakes, nor 100,000 browsers. Latency begins when a request was meant to leave."
)
SCOPE_UNPIPELINED = (
    "It tests the rate of requests on kept connections, one at a time on each. It does not test TCP or TLS handshakes. "
    "Latency begins when a request was meant to leave."
)
WORKED_OFF_PER_S = 1_000  # the cap of the group `orders`
RULES = range(100)  # the audit's exit code counts broken rules


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    # A shop of our own must end with us, however we are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options.reports.mkdir(parents=True, exist_ok=True)
    try:
        with shop(show=options.reports) as stack:
            result = run(stack, options)
    except StackFailed as problem:
        print(f"spike: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("spike: stopped before its end; there is no verdict", file=sys.stderr)
        return 128 + signal.SIGINT
    (options.reports / "spike.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.reports / "spike.html").write_text(spike_report.page(result))
    for line in spike_report.lines(result):
        print(line)
    print(f"{options.reports / 'spike.json'} · {options.reports / 'spike.html'}")
    return 0 if result["ok"] else 1


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before = machine()
    with tempfile.TemporaryDirectory(prefix="sluice-spike-") as name:
        folder = Path(name)
        plan = _prepare(stack, folder, options)
        counters = Counters(stack.url)
        backlog: list[tuple[float, int]] = []
        started_at = datetime.now(UTC)
        appended, requests, asked = counters.appended(), counters.requests(), counters.asked
        with watching_the_backlog(counters, backlog):
            t0, locust = _fire(plan, folder)
            # Before anything else is asked of the shop: the gateway counts that, too.
            requests = _difference(counters.requests(), requests, less=counters.asked - asked)
            print("All answers are in; waiting until every order is worked off, then the audit", flush=True)
            told = options.reports / "spike-history.jsonl"
            told.write_bytes(b"".join(path.read_bytes() for path in sorted(folder.glob("history-*.jsonl"))))
            audit = json.loads(
                stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
            )
        written_s = max(float(path.read_text()) for path in folder.glob("written-*"))
    lines = history.read(told)
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
            "written_seconds": spike_figures.digits(written_s),
            "passes": "made by manage.py passes before T0, with the server's own function",
        },
        "server": {
            "requests": requests,
            "appended": _difference(counters.appended(), appended),
            "left": stack.get(f"/api/sales/{plan.sale_id}").get("stock"),
        },
        "locust": locust,
        "audit": audit,
        "over_time": points,
        "backlog": _backlog(backlog, t0, points),
        "machine": before,
    }
    result["funnel"] = spike_figures.funnel(result)
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def _prepare(stack: Stack, folder: Path, options: argparse.Namespace) -> SpikePlan:
    """Users, a sale that is open, a pass for each request."""
    offered = round(options.rate * options.seconds)
    print(f"Making {offered:,} shoppers, a sale of {options.stock:,} units, and a pass for each shopper", flush=True)
    stack.manage("shoppers", "--count", str(offered), "--prefix", "spike")
    sale = json.loads(
        stack.manage("open_sale", "--stock", str(options.stock), "--limit", "1", "--minutes", "30", "--json")
    )["sale"]
    passes = folder / "passes"
    stack.manage("passes", "--sale", str(sale), "--prefix", "spike", "--count", str(offered), "--out", str(passes))
    deadline = time.monotonic() + 30
    while stack.get(f"/api/sales/{sale}").get("state") != "open":
        if time.monotonic() > deadline:
            raise StackFailed(f"sale {sale} did not open within 30 s")
        time.sleep(0.2)
    parts = urlsplit(stack.url)
    host = parts.hostname or "127.0.0.1"
    return SpikePlan(
        host=host,
        port=parts.port or 80,
        source=source_for(stack.url),
        sale_id=sale,
        rate=options.rate,
        seconds=options.seconds,
        processes=options.processes,
        connections=options.connections,
        depth=options.depth,
        pipelined=not options.unpipelined,
        passes=str(passes),
        folder=str(folder),
        give_up_s=options.seconds + options.give_up,
    )


def _fire(plan: SpikePlan, folder: Path) -> tuple[float, list[dict[str, Any]]]:
    """Start the generator, give it T0 when all its connections are open, and return T0 and Locust's statistics."""
    plan.write(folder / "plan.json")
    command = [
        sys.executable, "-m", "locust", "-f", str(BASE / "loadtests" / "spike.py"), "--headless",
        "-u", str(plan.processes), "-r", "100", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0",
        "--run-time", f"{120 + plan.give_up_s:.0f}s", "--stop-timeout", "60", "--json-file", str(folder / "locust"),
    ]  # fmt: skip
    if plan.processes > 1:
        command += ["--processes", str(plan.processes)]
    environment = {**os.environ, VARIABLE: str(folder / "plan.json"), "PYTHONPATH": str(BASE)}
    with (folder / "locust.out").open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            shown = _Shown(folder / "locust.out")
            _until(process, shown, lambda: len(list(folder.glob("ready-*"))) == plan.processes)
            t0 = time.monotonic() + 0.5
            unfinished = folder / "t0.new"
            unfinished.write_text(repr(t0))
            unfinished.rename(folder / "t0")
            print(
                f"{plan.offered:,} requests in {plan.seconds:g} s from now, {plan.connections} connections", flush=True
            )
            _until(process, shown, lambda: len(list(folder.glob("history-*.jsonl"))) == plan.processes)
            if plan.processes > 1:
                process.send_signal(signal.SIGINT)  # the master waits for its run time; the users are done
            process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    found = sorted(folder.glob("locust*.json"))
    return t0, [_row(entry) for entry in json.loads(found[0].read_text())] if found else []


class _Shown:
    """The generator's progress, passed on as it comes."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def __call__(self) -> None:
        text = self._path.read_bytes()[self._at :]
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if " offered " in line or line.startswith("process "):
                print(line, flush=True)

    def last(self) -> str:
        return (self._path.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def _until(process: subprocess.Popen[bytes], shown: _Shown, done: Any, *, within_s: float = 180) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        if process.poll() is not None and not done():
            raise StackFailed(f"the generator ended with {process.returncode}: {shown.last()}")
        if time.monotonic() > deadline:
            raise StackFailed(f"the generator took more than {within_s:.0f} s: {shown.last()}")
        time.sleep(0.05)
        shown()
    shown()


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


def _difference(now: int | None, before: int | None, *, less: int = 0) -> int | None:
    return None if now is None or before is None else now - before - less


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    return {"name": entry["name"], "requests": entry["num_requests"], "failures": entry["num_failures"]}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make spike", description=f"An open-loop spike of orders. {SCOPE}")
    parser.add_argument("--rate", type=float, default=100_000, help="requests a second")
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
    return parser.parse_args(arguments)
