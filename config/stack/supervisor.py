"""One loop over pipes and signals. It sleeps until a line, a signal or a restart is due: idle costs nothing."""

from __future__ import annotations

import contextlib
import math
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Self

from config.stack.child import Child, Kept
from config.stack.foreground import ServerFailed
from config.stack.output import Output

# Seconds each stage has for a polite end, by Kept.ends: web; consumers, relay and Celery (which gives a task 8);
# Valkey; PostgreSQL. Together less than the 15 s in which everything must have ended.
GRACE_S = (2.5, 8.5, 1.0, 2.0)
SAME_WISH_S = 0.5


class Supervisor:
    """Keeps its children running until SIGINT, SIGTERM or SIGHUP; `stop` then ends them stage by stage."""

    def __init__(self, output: Output, *, grace_s: Sequence[float] = GRACE_S) -> None:
        self.children: list[Kept] = []
        self.stop_signals = 0
        self._last_stop_signal = -math.inf
        self._output = output
        self._grace_s = grace_s
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._on_stop_signal)
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._selector.close()
            self._wake_read.close()
            self._wake_write.close()

    def add(self, child: Kept) -> None:
        """Start it and keep it running."""
        self.children.append(child)
        self._spawn(child)

    def run(self, until: Callable[[], bool] | None = None, *, look_every_s: float = 0.1) -> bool:
        """Serve until a stop signal (returns False) or until `until`, asked every so often, says so (True)."""
        look_at = 0.0
        while not self.stop_signals and not self._output.broken:
            now = time.monotonic()
            if until is not None and now >= look_at:
                if until():
                    return True
                look_at = time.monotonic() + look_every_s
            self._step(None if until is None else max(0.0, look_at - time.monotonic()))
        return False

    def run_once(self, child: Child) -> int | None:
        """Run a child to its end: its exit code, or None when a stop signal came first."""
        child.once = True
        self.add(child)
        self.run(lambda: child.result is not None, look_every_s=0.05)
        return child.result

    def stop(self) -> None:
        """End every child, stage by stage; a second stop signal ends the politeness."""
        self._stopping = True
        if self.stop_signals:
            self._output.say("stopping; once more to hurry")
        for stage in sorted({child.ends for child in self.children}):
            members = [child for child in self.children if child.ends == stage and self._alive(child)]
            for child in members:
                with contextlib.suppress(ProcessLookupError):
                    child.ask_to_end()
            deadline = time.monotonic() + self._grace_s[min(stage, len(self._grace_s) - 1)]
            while any(map(self._alive, members)) and time.monotonic() < deadline and self.stop_signals < 2:
                self._step(min(0.05, max(0.0, deadline - time.monotonic())))
            for child in members:
                if self._alive(child):
                    self._output.say(f"{child.name} did not end in time: killed")
                    child.kill()
            while any(map(self._alive, members)):
                self._step(0.05)
            for child in members:
                self._look_after(child)  # its last words
        self.children.clear()

    def _alive(self, child: Kept) -> bool:
        return child.pid is not None and child.exit_code() is None

    def _step(self, timeout_s: float | None) -> None:
        due = [child.start_at for child in self.children if child.start_at is not None]
        if due and not self._stopping:
            soonest = max(0.0, min(due) - time.monotonic())
            timeout_s = soonest if timeout_s is None else min(timeout_s, soonest)
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            else:
                self._print(key.data)
        for child in list(self.children):
            self._look_after(child)

    def _print(self, child: Child) -> None:
        lines = child.read()
        if lines is None:
            assert child.process is not None
            self._selector.unregister(child.process.stdout)  # type: ignore[arg-type]
            return
        for line in lines:
            self._output.line(child.name, line)

    def _look_after(self, child: Kept) -> None:
        now = time.monotonic()
        if child.start_at is not None:
            if not self._stopping and now >= child.start_at:
                self._spawn(child)
            return
        code = child.exit_code()
        if code is None:
            return
        self._let_go(child)
        if child.once:
            child.result = code
            self.children.remove(child)
        if self._stopping or child.once:
            return
        wait_s = child.wait_before_restart(now)
        child.start_at = now + wait_s
        self._output.say(f"{child.name} ended ({_how(code)}); starting it again in {wait_s:.1f} s")

    def _spawn(self, child: Kept) -> None:
        child.start_at = None
        child.started_at = time.monotonic()
        try:
            child.spawn()
        except (OSError, ServerFailed) as problem:
            child.start_at = time.monotonic() + child.wait_before_restart(child.started_at)
            self._output.say(f"{child.name} cannot be started: {problem}")
            return
        if isinstance(child, Child) and child.process is not None and child.process.stdout is not None:
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _let_go(self, child: Kept) -> None:
        child.kill()  # its own children, if it left any
        if isinstance(child, Child):
            if child.process is not None and child.process.stdout is not None:
                with contextlib.suppress(KeyError):
                    self._selector.unregister(child.process.stdout)
            for line in child.close():
                self._output.line(child.name, line)

    def _on_stop_signal(self, number: int, _frame: FrameType | None) -> None:
        # `make` passes a SIGTERM on to us although its process group had it already: one wish, told twice.
        if time.monotonic() - self._last_stop_signal > SAME_WISH_S:
            self.stop_signals += 1
            self._last_stop_signal = time.monotonic()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
