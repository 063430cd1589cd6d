"""The no-op that every system calls once per message: it counts, and notes how long the fixed count took."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

WARMUP, COUNT, RESULT = "BENCH_WARMUP", "BENCH_COUNT", "BENCH_RESULT"
REDIS_URL = "BENCH_REDIS_URL"
BODY = "x" * 100


class Tally:
    """Call it per message. Writes the seconds that `count` messages took, after `warmup`, to the file `result`."""

    def __init__(self, *, warmup: int, count: int, result: Path) -> None:
        self.first, self.last, self.result = warmup, warmup + count, result
        self.started = 0.0
        self._numbers = itertools.count(1)  # next() is one step: some peers call from several threads

    def __call__(self) -> None:
        number = next(self._numbers)
        if number == self.first:
            self.started = time.perf_counter()
        elif number == self.last:
            took = time.perf_counter() - self.started
            unfinished = self.result.with_suffix(".new")
            unfinished.write_text(repr(took))
            unfinished.rename(self.result)


def tally() -> Tally:
    """As the environment of the worker process says."""
    warmup, total = int(os.environ[WARMUP]), int(os.environ[COUNT])
    return Tally(warmup=warmup, count=total, result=Path(os.environ[RESULT]))
