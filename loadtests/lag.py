"""The backlog as the queue itself counts it, ten times a second, on Redis's clock."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loadtests.stack import Stack, StackFailed

EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """at_ms: since 1970, by Redis's clock. lag: orders that nobody of the group has acknowledged."""

    at_ms: int
    appended: int
    acked: int
    lag: int


@contextmanager
def watching_lag(stack: Stack, group: str, topic: str) -> Iterator[list[Sample]]:
    """The samples so far, growing while inside. One process of the shop's own command makes them.

    Raises:
        StackFailed: none came within half a minute.
    """
    seen: list[Sample] = []
    process = stack.start("queue", "lag", group, "--topic", topic, "--every", str(EVERY_S))

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(Sample(**json.loads(line)))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        wait_until(lambda: bool(seen), within_s=30, what="manage.py queue lag did not say a word", process=process)
        yield seen
    finally:
        process.terminate()
        process.wait(10)
        thread.join(10)


def wait_until(
    done: Callable[[], bool],
    *,
    within_s: float,
    what: str,
    process: subprocess.Popen[str] | None = None,
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Look ten times a second. tell: called at every look.

    Raises:
        StackFailed: it took longer, or the process ended before; the message is `what`.
    """
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise StackFailed(f"{what} (waited at most {within_s:.0f} s)")
        time.sleep(EVERY_S)
        tell()
