"""`make bench`: every benchmark on a Valkey and a PostgreSQL of its own, each write on disk before its reply.

make bench                    within five minutes
make bench ARGS=--whole       then also what needs a whole shop: spike, both drains, compare; a quarter of an hour more
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine, whole
from benchmarks.row import Row
from benchmarks.table import HEAD, line
from config.stack.servers import Postgres, Valkey

REPORT = Path("reports/bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--whole", action="store_true", help="also spike, drain and compare: a quarter of an hour more")
    options = parser.parse_args()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    print(machine.describe(folder), f"\n\n{HEAD}", sep="", flush=True)
    valkey, postgres = Valkey(folder / "valkey"), Postgres(folder / "postgres")
    rows = []
    try:
        valkey.start()
        postgres.start()
        _set_up_django(postgres.url, valkey.url)
        for row in _all(valkey.url):
            print(line(row), flush=True)
            rows.append(row)
    finally:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.whole:
        rows += whole.rows(REPORT.parent)
        print(f"\n{HEAD}", *map(line, rows), sep="\n", flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    missed = sum(not row.reached for row in rows)
    print(f"\n{missed or 'no'} target(s) missed; {time.monotonic() - started:.0f} s; written to {REPORT}")
    return 0


def _set_up_django(database_url: str, redis_url: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "only-for-benchmarks",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _all(redis_url: str) -> Iterator[Row]:
    # Models: not before Django is set up.
    from benchmarks import catch_up, console, memory, orders, outbox, per_message, queue
    from benchmarks.lane import rows as lane
    from benchmarks.scaled import run as scaled

    yield from queue.rows(redis_url)
    yield from per_message.rows(redis_url)
    yield from outbox.rows(redis_url)
    yield from orders.rows(redis_url)
    yield from catch_up.rows(redis_url)
    yield from memory.rows(redis_url)
    yield from console.rows(redis_url)
    yield from lane.rows(redis_url)
    yield from scaled.rows(redis_url)


if __name__ == "__main__":
    sys.exit(main())
