"""Processes that belong to a data folder, found by the mark in their environment.

After a SIGKILL of the supervisor they end by themselves on Linux (lifeline.py). Whatever is left is ended here, before
the next start: two PostgreSQLs on one folder would be the end of it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

MARK = "SLUICE_STACK"
POLITE_S = 5.0


def running(folder: Path) -> list[psutil.Process]:
    """Processes started by a stack on this folder, other than this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                process.environ().get(MARK) == str(folder) or _is_nginx(process, folder)
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or is another user's
    return found


def _is_nginx(process: psutil.Process, folder: Path) -> bool:
    """Its master wrote its command over its environment; the mark is in the command (nginx.py)."""
    return process.name() == "nginx" and f'"{MARK}={folder}"' in " ".join(process.cmdline())


def end(folder: Path) -> int:
    """End them, politely first; returns how many there were."""
    processes = running(folder)
    for process in processes:
        _send(process, signal.SIGINT)  # to PostgreSQL, SIGTERM would mean: wait until every client has left
    _, stubborn = psutil.wait_procs(processes, timeout=POLITE_S)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=POLITE_S)
    return len(processes)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)  # psutil compares the start time first: never a stranger with the same number
    except psutil.Error:
        return


def main(folder: Path) -> int:
    """`python -m config.stack.leftovers DATA_DIR`: fails, and names them, when a process is left."""
    left = running(folder)
    for process in left:
        print(f"left running: {process.pid} {process.name()}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
