"""Threads that really run at once, each with a database connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections


def at_once(jobs: Sequence[Callable[[], Any]], *, within_s: float = 60) -> list[Any]:
    """Run each job in a thread, all let go together; their results, in order. The first error is raised here."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = [TimeoutError(f"a job did not end within {within_s} s")] * len(jobs)

    def run(at: int, job: Callable[[], Any]) -> None:
        try:
            gate.wait(timeout=20)
            results[at] = job()
        except BaseException as error:
            results[at] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=within_s)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def wait_until_blocked(sessions: int, *, within_s: float = 20) -> None:
    """Return once this many other sessions of this database wait for a lock."""
    deadline = time.monotonic() + within_s
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= sessions:
                return
            # pg_stat_activity is a snapshot per transaction unless it is thrown away.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
    raise TimeoutError(f"no {sessions} sessions wait for a lock after {within_s} s")
