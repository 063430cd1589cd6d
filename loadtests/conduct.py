"""What every load test does around its run: a shop, signals, the two reports, an exit code."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from loadtests.stack import Stack, StackFailed, shop

Result = dict[str, Any]
BEFORE_S = 5.0  # of calm, so that the charts show what the run began from


def conduct(
    name: str,
    run: Callable[[Stack], Result],
    *,
    reports: Path,
    lines: Callable[[Result], Iterable[str]],
    page: Callable[[Result], str],
) -> int:
    """Run it against a shop, write <name>.json and <name>.html, print the lines. Returns the exit code.

    run: from a shop that is well to a result with `ok`.
    """
    # A shop of our own must end with us, however we are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    reports.mkdir(parents=True, exist_ok=True)
    try:
        with shop(show=reports) as stack:
            began = time.time()
            result = run(stack)
            _keep_charts(stack, name, began)
    except StackFailed as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped before its end; there is no verdict", file=sys.stderr)
        return 128 + signal.SIGINT
    (reports / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    (reports / f"{name}.html").write_text(page(result))
    for line in lines(result):
        print(line)
    print(f"{reports / f'{name}.json'} · {reports / f'{name}.html'}")
    return 0 if result["ok"] else 1


def _keep_charts(stack: Stack, name: str, began: float) -> None:
    """The operator's charts can then show the run again. A run of more than an hour has a report and no charts."""
    try:
        print(stack.manage("load_run", name, "--began", str(began - BEFORE_S)).strip())
    except StackFailed as problem:
        print(f"{name}: {problem}", file=sys.stderr)
