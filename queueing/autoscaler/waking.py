"""Sleep that ends when a child ends or a signal comes."""

from __future__ import annotations

import select
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import Any, Self


class Wake:
    """In the main thread; what it changed is as before when it is left."""

    def __enter__(self) -> Self:
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        self._fd = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._handler: Any = signal.signal(signal.SIGCHLD, _nothing)  # ignored by default, and then it wakes nobody
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd)
        signal.signal(signal.SIGCHLD, self._handler)
        self._read.close()
        self._write.close()

    def wait(self, seconds: float) -> None:
        """No longer than this."""
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                self._read.recv(4096)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
