"""Keys, signals and changes of size while a live view waits for its next look."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


class Keyboard:
    """ended_by: the signal that asks us to leave. It interrupts nothing, so the screen is never left half drawn; a
    second one does, for a look that hangs."""

    def __init__(self, *, keys: bool) -> None:
        self.ended_by: int | None = None
        self._keys = [sys.stdin] if keys else []
        self._here, self._there = os.pipe()
        os.set_blocking(self._there, False)

    def wait(self, seconds: float) -> str:
        """Wait so long, or until a key is pressed (which is returned), a signal came, or the size changed."""
        readable, _, _ = select.select([self._here, *self._keys], [], [], seconds)
        if self._here in readable:
            os.read(self._here, 4096)
        return os.read(sys.stdin.fileno(), 64).decode(errors="replace") if sys.stdin in readable else ""

    def heard(self, number: int, _frame: FrameType | None) -> None:
        if number in ENDING:
            if self.ended_by is not None:
                raise KeyboardInterrupt
            self.ended_by = number
        os.write(self._there, b".")

    def close(self) -> None:
        os.close(self._here)
        os.close(self._there)


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """The terminal is afterwards as it was before, whatever ends the block."""
    at_terminal = sys.stdin.isatty()
    before = termios.tcgetattr(sys.stdin) if at_terminal else None
    found = Keyboard(keys=at_terminal)
    handlers = {number: signal.signal(number, found.heard) for number in (*ENDING, signal.SIGWINCH)}
    try:
        if at_terminal:
            tty.setcbreak(sys.stdin, termios.TCSANOW)  # single keys, unseen; Ctrl-C stays a signal
        yield found
    finally:
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        found.close()
