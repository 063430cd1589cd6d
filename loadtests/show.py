"""`make show`: a backlog that consumers come for, and one that they would not help, with a picture of each moment.

Twice the same spike of five seconds. First the fault room lifts the cap of the group `orders` and makes its consumers
slow, 1,000 orders a second each: the consumer is the limit, so the autoscaler adds some, and takes them away when
all is worked off. Then with the cap on: more consumers would wait for the same cap, and the autoscaler says so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests import show_report
from loadtests.conduct import conduct
from loadtests.counters import Counters
from loadtests.generator import Fired, fire, open_sale, plan_for
from loadtests.lag import wait_until
from loadtests.machine import machine
from loadtests.show_figures import DOWN, UP, of, thresholds
from loadtests.show_room import Moment, Operator, operator, watching
from loadtests.stack import BASE, Stack

SCOPE = (
    "It shows what the autoscaler does when the lag passes 10,000, and the pages that tell it. The generator, and the "
    "browser that takes the pictures, have the same cores as the shop."
)
GROUP = "orders"
RULES = range(100)  # the audit's exit code counts broken rules
FAULTS_S = 300  # more than the first act takes; they are ended by a click
Condition = Callable[[Moment], bool]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    return conduct(
        "show",
        lambda stack: run(stack, options),
        reports=options.reports,
        lines=show_report.lines,
        page=show_report.page,
    )


def run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Everything between a shop that is well and a verdict."""
    before, started_at = machine(), datetime.now(UTC)
    told = options.reports / "show-history.jsonl"
    told.write_bytes(b"")
    with (
        tempfile.TemporaryDirectory(prefix="sluice-show-") as name,
        operator(stack, options.reports / "show", group=GROUP) as one,
        watching(stack, one.dashboard.context, GROUP) as seen,
    ):
        acts = {}
        for act in (_slow_consumers, _at_its_cap):
            folder = Path(name) / act.__name__
            folder.mkdir()
            began = len(seen)
            fired = act(stack, one, seen, folder, options)
            with told.open("ab") as file:
                file.write(fired.told)
            _rest(stack, options)
            acts[act.__name__.strip("_")] = of(seen[began:], t0=fired.t0)
        one.picture("at-rest", "Everything that followed is done, too")
        left = one.end_all()
    print("Now the audit", flush=True)
    audit = json.loads(
        stack.manage("audit", "--json", "--history", str(told), "--wait", str(options.rest), accept=RULES)
    )
    result = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "scope": SCOPE,
        "orders": options.orders,
        "rate": options.rate,
        "acts": acts,
        "faults_left": left,
        "pictures": one.taken,
        "audit": audit,
        "machine": before,
    }
    result["thresholds"] = thresholds(result)
    result["ok"] = all(threshold["ok"] for threshold in result["thresholds"])
    return result


def _slow_consumers(
    stack: Stack, one: Operator, seen: list[Moment], folder: Path, options: argparse.Namespace
) -> Fired:
    """The consumer is the limit: more of them help."""
    plan = _plan(stack, folder, options)
    one.picture("before", "Nothing waits; one consumer of each group")
    one.begin("lift", group=GROUP, seconds=FAULTS_S)
    one.begin("pace", group=GROUP, seconds=FAULTS_S)
    one.picture("faults-begun", "The cap of orders is lifted, and each of its consumers handles 1,000 a second")
    with _firing(plan) as fired:
        _until(one, seen, lambda now: now.lag > UP, "lag-over-10000", "The lag of orders has passed 10,000")
        _until(one, seen, lambda now: now.alive > 1, "consumers-grow", "More consumers are at work")
    _until(one, seen, lambda now: now.lag < DOWN, "drained", "The lag of orders is below 1,000")
    _until(one, seen, lambda now: now.lag < DOWN and now.alive == 1, "shrunk", "One consumer again")
    one.end_all()
    return fired[0]


def _at_its_cap(stack: Stack, one: Operator, seen: list[Moment], folder: Path, options: argparse.Namespace) -> Fired:
    """The cap is the limit: more consumers would not help."""
    plan = _plan(stack, folder, options)
    with _firing(plan) as fired:
        _until(one, seen, lambda now: now.lag > UP, "capped-lag-over-10000", "With its cap on, the lag passes 10,000")
        what = "The autoscaler says why it adds none"
        _until(one, seen, lambda now: now.lag > UP and "cap" in now.why, "capped-says-why", what)
    _until(one, seen, lambda now: now.lag < DOWN, "capped-drained", "Worked off at 1,000 a second, by one consumer")
    return fired[0]


def _plan(stack: Stack, folder: Path, options: argparse.Namespace) -> Any:
    sale, passes = open_sale(stack, folder, shoppers=options.orders, stock=options.orders, prefix=f"show{folder.name}")
    return plan_for(
        stack.url, sale=sale, passes=passes, folder=folder, rate=options.rate, seconds=options.orders / options.rate,
        connections=128, give_up_s=60,
    )  # fmt: skip


class _firing:  # noqa: N801  reads as what it is: `with _firing(plan)`
    """The spike, beside the operator. Leaving waits for its end, and hands on what it raised."""

    def __init__(self, plan: Any) -> None:
        self.fired: list[Fired] = []
        self.failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._fire, args=(plan,))

    def _fire(self, plan: Any) -> None:
        try:
            self.fired.append(fire(plan))
        except BaseException as problem:
            self.failed.append(problem)

    def __enter__(self) -> list[Fired]:
        self._thread.start()
        return self.fired

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self.failed:
            raise self.failed[0]


def _until(one: Operator, seen: list[Moment], holds: Condition, name: str, what: str) -> None:
    """A picture as soon as it holds."""
    from_here = len(seen)
    wait_until(lambda: any(map(holds, seen[from_here:])), within_s=180, what=f"never: {what}")
    now = next(filter(holds, seen[from_here:]))
    print(f"{what}: lag {now.lag:,}, {now.alive} of {now.desired} consumers; {now.why}", flush=True)
    one.picture(name, what)


def _rest(stack: Stack, options: argparse.Namespace) -> None:
    counters = Counters(stack.url)
    print("Waiting until all that follows from these orders is done", flush=True)
    wait_until(lambda: counters.on_its_way() == 0, within_s=options.rest, what="not at rest")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make show", description=SCOPE)
    parser.add_argument("--orders", type=int, default=24_000, help="of each spike")
    parser.add_argument("--rate", type=float, default=4_800, help="orders a second; the gateway lets 5,000 through")
    parser.add_argument("--rest", type=float, default=600, help="seconds to wait until every event is handled")
    parser.add_argument("--reports", type=Path, default=BASE / "reports")
    return parser.parse_args(arguments)
