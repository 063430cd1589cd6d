"""Threads that really run at once, each with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections


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
