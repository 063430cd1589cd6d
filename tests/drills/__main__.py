"""`python -m tests.drills`, which is `make drills`: every drill at full count, results in reports/drills.json."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drills.faults import DRILLS
from tests.drills.harness import BASE, House
from tests.drills.result import SEED, perform
from tests.drills.rounds import Drill

Row = dict[str, Any]
SEEDS_PER_SCALE = 2_000


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests that take their count from the environment. computes: they only compute, and run beside the drills."""

    tests: str
    variable: str
    per_scale: int
    computes: bool = True


SUITES = {
    "payment_races": Suite("payments/tests/test_races.py", "DRILL_SCALE", 1),
    "queue_simulation": Suite("queueing/tests/test_simulation.py", "SIMULATION_SEEDS", SEEDS_PER_SCALE),
    "consumers": Suite("tests/drills/diner", "DRILL_SCALE", 1, computes=False),
    "admission": Suite("tests/drills/front", "DRILL_SCALE", 1, computes=False),
    "load_tests": Suite("tests/test_spike.py", "DRILL_SCALE", 1, computes=False),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every drill went well, otherwise 1."""
    options = _options(arguments)
    rows: list[Row] = []

    def note(row: Row) -> None:
        rows.append(row)
        print(_line(row), flush=True)
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(rows, indent=2) + "\n")

    wanted = [name for name in (*SUITES, *DRILLS) if name in (options.only or name)]
    # A drill mostly waits, and what weather it makes should not depend on an idle machine.
    with ThreadPoolExecutor(max_workers=1) as beside:
        computing = [name for name in wanted if name in SUITES and SUITES[name].computes]
        suites = [beside.submit(_suite, name, SUITES[name], options.scale) for name in computing]
        for name in wanted:
            if name in DRILLS:
                print(f"{name} …", flush=True)
                note(_drill(DRILLS[name], options))
        for suite in suites:
            note(suite.result())
    for name in wanted:
        if name in SUITES and name not in computing:
            note(_suite(name, SUITES[name], options.scale))
    bad = [row["name"] for row in rows if not row["ok"]]
    print(f"{len(rows) - len(bad)} of {len(rows)} went well, {options.report.name} has the figures", flush=True)
    return 1 if bad else 0


def _drill(drill: Drill, options: argparse.Namespace) -> Row:
    """In a house of its own, so that one that goes wrong spoils no other."""
    house, stocks = House(), drill.stocks(options.scale)
    try:
        house.start()
        house.open(shoppers=drill.buyers, stocks=stocks)
        row = perform(drill, house, house.sales, seed=options.seed, full=options.scale > 1, at_rest=True)
        if not row["ok"]:
            row["log"] = house.last_words(200).splitlines()
        return row
    except AssertionError as problem:  # the house itself did not start
        return {"name": drill.name, "seed": options.seed, "count": 0, "seconds": 0, "ok": False, "error": str(problem)}
    finally:
        house.close()


def _suite(name: str, suite: Suite, scale: float) -> Row:
    began, count = time.monotonic(), max(1, round(suite.per_scale * scale))
    command = [sys.executable, "-m", "pytest", "-q", suite.tests]
    environment = {**os.environ, suite.variable: str(count)}
    done = subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, check=False)
    row: Row = {
        "name": name,
        "seed": "drawn by the tests; a failing one is printed",
        "count": count,
        "seconds": round(time.monotonic() - began, 1),
        "reached": {suite.variable: count, "pytest": (done.stdout.splitlines() or [""])[-1]},
        "ok": done.returncode == 0,
    }
    return row if row["ok"] else {**row, "error": done.stdout[-4000:]}


def _line(row: Row) -> str:
    word = "well" if row["ok"] else "BAD "
    broken = f", {row['audit']['broken']} rules broken" if "audit" in row else ""
    why = "" if row["ok"] else f": {row['error'][:500]}"
    return f"  {word}  {row['name']}: {row['seconds']:.0f} s, count {row['count']}{broken}{why}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make drills", description=__doc__)
    parser.add_argument("--scale", type=float, default=10, help="0.3 to 1 is what `make test` runs, 10 the full count")
    parser.add_argument("--only", choices=(*SUITES, *DRILLS), action="append", help="this one; may be repeated")
    parser.add_argument("--seed", type=int, default=SEED, help="of the drills' dice")
    parser.add_argument("--report", type=Path, default=BASE / "reports" / "drills.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
