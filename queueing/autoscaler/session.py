"""A process of its own: its own session, no less yielding than before, and a name that `top` shows."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_NAME = 15
# Loaded before any fork: between fork and exec a child may not take the loader's lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def own_session() -> None:
    """Linux shares the cores between sessions first, so a new session has to yield as its process does."""
    os.setsid()
    let_the_session_yield(os.getpriority(os.PRIO_PROCESS, 0))


def let_the_session_yield(nice: int) -> None:
    try:
        with open("/proc/self/autogroup", "w") as file:
            file.write(str(nice))
    except OSError:  # not Linux, or a kernel without autogroups: nice alone is enough there
        pass


def call_it(name: str) -> None:
    """What `ps -o comm` and `top` show, up to 15 characters. Its command line stays that of whom it was forked from."""
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
