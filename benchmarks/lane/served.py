"""One granian worker on a core of its own, as `make up` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from config.stack.lifeline import tied_to_us
from config.stack.valkey import free_port

WEB_CORE, CROWD_CORE = 0, 1  # the crowd shares its core with Valkey


def pin(pid: int, core: int) -> None:
    """To one core, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[core]})


@contextmanager
def served(application: str, **environment: str) -> Iterator[int]:
    """The port of a running server; its end with it."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asginl", "--workers", "1", "--no-ws"),
        *("--log-level", "warning", "--host", "127.0.0.1", "--port", str(port)),
        *("--backlog", "8192", "--backpressure", "20000", application),
    ]
    ends_with_us = tied_to_us(signal.SIGTERM)

    def before_exec() -> None:
        ends_with_us()
        pin(0, WEB_CORE)

    process = subprocess.Popen(
        command, env={**os.environ, **environment}, preexec_fn=before_exec, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server on port {port}")
