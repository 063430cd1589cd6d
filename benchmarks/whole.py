"""`make bench ARGS=--whole`: the rows that need a whole shop and minutes, each by its load test in its own shop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row

# A folder for the reports of each, and its arguments: two of them are one load test's.
RUNS = {
    "spike": ("spike",),
    "drain": ("drain",),
    "uncapped": ("drain", "--uncapped"),
    "compare": ("compare",),
}
MORE_IS_BETTER = {"compare"}  # the others write times


def rows(reports: Path) -> Iterator[Row]:
    """What a load test says goes to the terminal. One that misses a threshold has its rows all the same."""
    for name, (test, *options) in RUNS.items():
        report = reports / name / f"{test}.json"
        report.unlink(missing_ok=True)
        subprocess.run(
            [sys.executable, "-m", "loadtests", test, *options, "--reports", str(report.parent)], check=False
        )
        yield from rows_of(report)


def rows_of(report: Path) -> Iterator[Row]:
    """Those that a load test wrote; none when it came to no end."""
    for said in json.loads(report.read_text())["rows"] if report.exists() else []:
        yield Row(
            said["name"], said["unit"], said["ours"], said["against"], said["theirs"], said["target"],
            at_most=report.stem not in MORE_IS_BETTER,
        )  # fmt: skip
