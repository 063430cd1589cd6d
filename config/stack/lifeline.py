"""A child that ends when the process that started it is gone, even by SIGKILL (Linux; elsewhere a no-op)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from queueing.autoscaler.session import let_the_session_yield

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec a child may not take the loader's lock.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def tied_to_us(farewell: signal.Signals, *, nice: int = 0) -> Callable[[], None]:
    """A `preexec_fn` that has the kernel send `farewell` to the child when our thread ends.

    nice: how much the child yields to others. Linux shares the cores between sessions first, so a child that leads a
    session of its own yields as a session.

    The kernel watches the *thread* that forked: start children from one that lives as long as they should.
    """
    parent = os.getpid()

    def before_exec() -> None:
        # A shell's `make up &` starts us with SIGINT ignored, and ignored signals are inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if nice:
            os.nice(nice)
            let_the_session_yield(nice)
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(farewell), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return before_exec
