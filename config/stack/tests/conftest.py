from __future__ import annotations

import contextlib
import json
import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

WITHIN_S = 20.0
BASE = Path(__file__).resolve().parents[3]


def until(condition: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
    """What `condition` returns as soon as it is true; fails when that takes too long."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s:.0f} s")


class Watched:
    """A running program, its lines read as they come."""

    def __init__(self, command: list[str], *, env: dict[str, str] | None = None, terminal: bool = False) -> None:
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        output: int = subprocess.PIPE
        reader: IO[str] | None = None
        if terminal:
            ours, output = pty.openpty()
            reader = os.fdopen(ours, encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, text=True, cwd=BASE, env={**os.environ, **(env or {})}
        )
        if terminal:
            os.close(output)
        self._reader = reader or self.process.stdout
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._reader is not None
        try:
            for line in self._reader:
                self._news.put(line.rstrip("\n"))
        except (OSError, ValueError):  # a terminal whose other side has gone; a pipe we closed
            pass
        self._news.put(None)

    def line(self, *words: str, within_s: float = WITHIN_S) -> str:
        """The next line that has all these words."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                line = self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no line with {words} in:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if all(word in line for word in words):
                return line

    def rest(self, *, within_s: float = WITHIN_S) -> list[str]:
        """The lines until it has ended."""
        self.process.wait(within_s)
        before = len(self.lines)
        while (line := self._news.get(timeout=within_s)) is not None:
            self.lines.append(line)
        return self.lines[before:]

    def close_output(self) -> None:
        """Stop reading, as `head` does."""
        assert self._reader is not None
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self._reader.fileno())
        os.close(nothing)

    def close(self) -> None:
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            for process in (self.process, *children):
                with contextlib.suppress(psutil.NoSuchProcess):  # it may end with its parent
                    process.kill()
        self.process.wait()
        self._thread.join(5)
        if self._reader is not None:
            self._reader.close()


Toy = Callable[..., Watched]


@pytest.fixture
def toy() -> Iterator[Toy]:
    """Starts a supervisor with these children: (name, Python code, stage)."""
    started: list[Watched] = []

    def start(
        *children: tuple[str, str, int], grace_s: tuple[float, ...] = (5, 5, 5), terminal: bool = False
    ) -> Watched:
        listed = [{"name": name, "code": code, "ends": ends} for name, code, ends in children]
        command = [sys.executable, "-m", "config.stack.tests.toy", json.dumps(listed), json.dumps(grace_s)]
        started.append(Watched(command, terminal=terminal))
        return started[-1]

    yield start
    for watched in started:
        watched.close()


def pid_in(line: str) -> int:
    """The number that ends a line."""
    return int(line.rsplit(" ", 1)[1])


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
