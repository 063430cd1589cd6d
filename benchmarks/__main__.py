"""Run every benchmark on a Valkey of its own (AOF, every write on disk before its reply); write reports/bench.json."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import queue
from benchmarks.row import Row
from config.stack.servers import Valkey


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    valkey = Valkey(folder / "valkey")
    valkey.start()
    try:
        rows = []
        for row in queue.rows(valkey.url):
            _print(row)
            rows.append(row)
    finally:
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)
    report = Path("reports/bench.json")
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    print(f"\nwritten to {report}")
    return 0


def _print(row: Row) -> None:
    verdict = "reached" if row.reached else "NOT REACHED"
    print(
        f"{row.name:<38} {row.ours:>10,.0f} {row.unit:<11} against {row.theirs:>10,.0f}  {row.against:<40}"
        f" ratio {row.ratio:5.2f}  target {row.target:.2f}  {verdict}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
