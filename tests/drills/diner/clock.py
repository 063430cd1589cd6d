"""DINER_JUMP_S=3600: on SIGUSR1 this process's wall clock jumps so many seconds; its monotonic clock goes on."""

from __future__ import annotations

import os
import signal
import time


def jump_when_told() -> None:
    if "DINER_JUMP_S" not in os.environ:
        return
    by_s = float(os.environ["DINER_JUMP_S"])
    true_time, true_time_ns = time.time, time.time_ns

    def jump(*_: object) -> None:
        time.time = lambda: true_time() + by_s
        time.time_ns = lambda: true_time_ns() + int(by_s * 1e9)
        os.write(1, b"the clock jumps\n")

    signal.signal(signal.SIGUSR1, jump)
