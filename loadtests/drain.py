"""`make drain`: the reservoir. 99,000 orders wait, the consumers take 1,000 a second: does the formula hold?

The orders come through the real gate, at half of what the gateway lets through, while the group `orders` is paused;
so the same run says how fast an order is acknowledged at half of capacity. Then the group is let go.

    make drain                       capped at 1,000/s, every group running
    make drain ARGS="--uncapped"     as fast as it goes: first with the other groups paused, then with all running
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import drain_report, spike_figures
from loadtests.conduct import conduct
from loadtests.counters import Counters, Taken, difference, units_left
from loadtests.drain_figures import Drained, drained
from loadtests.drain_verdict import rows, thresholds
from loadtests.generator import Fired, fire, open_sale, plan_for
from loadtests.lag import Sample, wait_until, watching_lag
from loadtests.machine import machine
from loadtests.stack import BASE, Stack, StackFailed
from loadtests.valves import Valves

SCOPE = (
    "It shows what the queue holds and how fast the consumer of orders works it off: rows, history, outbox and inbox "
    "in PostgreSQL, then the acknowledgement. It does not test a peak (make spike does), nor several consumers."
)
GROUP, TOPIC = "orders", "orders.placed"
OTHERS = ("inventory", "payments", "logistics", "notifications")
RULES = range(100)  # the audit's exit code counts broken rules
COME_BACK = spike_figures.GATEWAY | spike_figures.LIMITS  # refused for now, and nothing was done
VOLLEYS = 5  # those who were asked to come back do so, at most so often


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return conduct(
        "drain",
        lambda stack: run(stack, options),
        reports=options.reports,
        lines=drain_report.lines,
        page=drain_report.page,
    )


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before, started_at, counters = machine(), datetime.now(UTC), Counters(stack.url)
    modes = ["others paused", "all running"] if options.uncapped else ["capped"]
    told = options.reports / "drain-history.jsonl"
    told.write_bytes(b"")
    fills: list[Fired] = []
    drains: dict[str, Drained] = {}
    left: list[int | None] = []
    appended, taken = counters.appended(), Taken(0, 0)
    with tempfile.TemporaryDirectory(prefix="sluice-drain-") as name, Valves(stack) as valves:
        for number, mode in enumerate(modes):
            if number:
                _rest(valves, counters, options)
            folder = Path(name) / str(number)
            folder.mkdir()
            # Before any group is paused: it is inventory's consumer that opens the gate.
            sale, passes = open_sale(stack, folder, shoppers=options.orders, stock=options.orders, prefix="drain")
            with watching_lag(stack, GROUP, TOPIC) as samples:
                valves.close(GROUP, *(OTHERS if mode == "others paused" else ()))
                valves.cap(GROUP, TOPIC, None if options.uncapped else options.cap)
                volleys, more = _fill(stack, sale, passes, counters, options)
                taken = taken.plus(more)
                lines = [line for volley in volleys for line in volley.lines()]
                with told.open("ab") as file:
                    file.writelines(volley.told for volley in volleys)
                _let_go(valves, samples, mode, options)
            fills += volleys
            drains[mode] = drained(
                samples,
                admitted_ms=[line["at"] for line in lines if spike_figures.fate(line) == "admitted"],
                cap_per_s=None if options.uncapped else options.cap,
            )
            left.append(units_left(stack, sale))
        _rest(valves, counters, options)
        print("Now the audit", flush=True)
        audit = json.loads(
            stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
        )
    everything = [line for volley in fills for line in volley.lines()]
    asked_again = sum(spike_figures.fate(line) in COME_BACK for line in everything)
    result = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "scope": SCOPE,
        "orders": options.orders,
        "cap_per_s": None if options.uncapped else options.cap,
        "fill_per_s": options.fill_rate,
        **spike_figures.of(everything, seconds=len(drains) * options.orders / options.fill_rate),
        "asked_again": asked_again,
        "drains": {mode: one.as_json() for mode, one in drains.items()},
        "alone": stack.alone,
        "server": {
            "requests": taken.by_others(len(everything)),
            "requests_with_the_house": taken.counted,
            "appended": difference(counters.appended(), appended),
            "left": _sum(left),
        },
        "locust": [row for volley in fills for row in volley.locust],
        "audit": audit,
        "machine": before,
    }
    result["funnel"] = spike_figures.funnel(result)
    result["rows"] = [row.as_json() for row in rows(result, options)]
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _fill(
    stack: Stack, sale: int, passes: Path, counters: Counters, options: argparse.Namespace
) -> tuple[list[Fired], Taken]:
    """An order for each pass. Returns what was fired, and how many requests the gateway counted.

    Who is asked to come back comes back, in a volley of their own: nothing was done for them, so a new key is right.
    """
    bearers = {int(line.split()[0]): line for line in passes.read_text().splitlines()}
    before = counters.reading()
    volleys: list[Fired] = []
    while bearers and len(volleys) < VOLLEYS:
        place = passes.parent / str(len(volleys))
        place.mkdir()
        waiting = place / "passes"
        waiting.write_text("\n".join(bearers.values()) + "\n")
        plan = plan_for(
            stack.url, sale=sale, passes=waiting, folder=place, rate=options.fill_rate,
            seconds=len(bearers) / options.fill_rate, connections=options.connections, give_up_s=options.give_up,
        )  # fmt: skip
        volleys.append(fire(plan))
        again = {line["user_id"] for line in volleys[-1].lines() if spike_figures.fate(line) in COME_BACK}
        bearers = {user: bearers[user] for user in again}
    return volleys, counters.taken_since(before)


def _let_go(valves: Valves, samples: list[Sample], mode: str, options: argparse.Namespace) -> None:
    """Let the group read, and say how far it is until nothing waits."""
    peak = samples[-1].lag
    expected_s = 120.0 if options.uncapped else peak / options.cap
    how = f"{options.cap:,.0f} a second: {expected_s:.0f} s by the formula" if mode == "capped" else f"no cap, {mode}"
    print(f"{peak:,} orders wait in the queue. The consumers begin now, {how}", flush=True)
    said = [time.monotonic()]

    def tell() -> None:
        if time.monotonic() - said[0] >= 5:
            said[0] = time.monotonic()
            print(f"  {samples[-1].lag:>7,} orders are waiting", flush=True)

    valves.open(GROUP)
    with contextlib.suppress(StackFailed):  # a queue that is never empty is a verdict, not an accident
        wait_until(lambda: not samples[-1].lag, within_s=expected_s * 2 + 30, what="orders still wait", tell=tell)


def _rest(valves: Valves, counters: Counters, options: argparse.Namespace) -> None:
    """Let everybody work until nothing is on its way; without caps, where the run is about what goes without them."""
    print("The orders are rows. Now all that follows from them: stock, payment requests, SMS", flush=True)
    if options.uncapped:
        valves.open(*OTHERS)
        for group, topic in ((GROUP, "orders.events"), *((other, "") for other in OTHERS)):
            valves.cap(group, topic, None)
    said = [time.monotonic()]

    def tell() -> None:
        if time.monotonic() - said[0] >= 10:
            said[0] = time.monotonic()
            print(f"  {counters.on_its_way() or 0:>7,} messages and events are on their way", flush=True)

    with contextlib.suppress(StackFailed):  # the audit says what is left
        wait_until(lambda: counters.on_its_way() == 0, within_s=options.rest, what="not at rest", tell=tell)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make drain", description=SCOPE)
    parser.add_argument("--orders", type=int, default=99_000, help="how many wait before the consumers begin")
    parser.add_argument("--cap", type=float, default=1_000, help="orders a second the consumers may begin")
    parser.add_argument("--uncapped", action="store_true", help="no cap: others paused, then all running")
    parser.add_argument("--fill-rate", type=float, default=2_500, help="orders a second; half of what is let through")
    parser.add_argument("--connections", type=int, default=128, help="kept connections of the generator")
    parser.add_argument("--within-pct", type=float, default=2, help="how far from the formula, in percent")
    parser.add_argument("--empty-within", type=float, default=4, help="uncapped, others paused: seconds to empty")
    parser.add_argument("--p99-ms", type=float, default=20, help="of the acknowledgement, from the intended send")
    parser.add_argument("--give-up", type=float, default=60, help="seconds after the last send to wait for answers")
    parser.add_argument("--rest", type=float, default=900, help="seconds to wait until every event is handled")
    parser.add_argument("--reports", type=Path, default=BASE / "reports")
    return parser.parse_args(arguments)
