"""The coupled shop's four processes: started, asked, one of them frozen, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.lag import wait_until
from loadtests.stack import BASE, ask, free_port

SERVICES: Mapping[str, int] = {"inventory": 200, "payment": 500, "logistics": 300}  # ms: the seeds' figures
CHAIN_MS = sum(SERVICES.values())
THREADS = 32  # 4 workers of 8 threads, a usual gunicorn
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Coupled:
    """url: of the shop. inventory_pids: the processes that stand still while inventory is stopped."""

    url: str
    services: Mapping[str, str]
    inventory_pids: list[int]

    def orders(self, outcome: str) -> set[str]:
        """The shop's own list. outcome: completed or failed."""
        return set(ask(self.url, "/")[1].get(outcome, []))

    def done_by(self, service: str) -> set[str]:
        """Orders this service has worked on, whatever became of them."""
        return set(ask(self.services[service], "/")[1].get("orders", []))


@contextlib.contextmanager
def coupled_shop(
    folder: Path, *, services: Mapping[str, int] = SERVICES, timeout_s: float = TIMEOUT_S
) -> Iterator[Coupled]:
    """services: name → milliseconds it takes. timeout_s: of each call to one of them.

    Raises:
        StackFailed: one did not begin to listen.
    """
    with contextlib.ExitStack() as stack:
        ports = {name: free_port() for name in services}
        started = {
            name: stack.enter_context(_process("service", name, str(ports[name]), str(ms), str(folder)))
            for name, ms in services.items()
        }
        shop = free_port()
        calls = [str(port) for port in ports.values()]
        stack.enter_context(_process("shop", str(shop), str(folder), str(THREADS), str(timeout_s), *calls))
        for port in (*ports.values(), shop):
            wait_until(lambda at=port: _listens(at), within_s=20, what=f"nothing listens on port {port}")
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Coupled(f"http://127.0.0.1:{shop}", urls, [started["inventory"].pid])


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """They stand still while inside, as on a machine that hangs: their sockets are open, and nobody answers."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"loadtests.coupled.{module}", *arguments]
    process = subprocess.Popen(command, cwd=BASE, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
