"""When the process was asked to end. A server waits for open connections, so whoever holds one open has to know."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from types import FrameType

_asked: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None


def process_ends() -> asyncio.Event:
    """Set as soon as SIGTERM or SIGINT comes. Whoever handled these signals before handles them still.

    The server listens through the event loop, which is told by the signal's wake-up descriptor whatever the handler.
    """
    global _asked
    loop = asyncio.get_running_loop()
    if _asked is None or _asked[0] is not loop:
        _asked = loop, asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            _tell(*_asked)
    return _asked[1]


def _tell(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, before: object = before) -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(asked.set)
            if callable(before):
                before(number, frame)

        signal.signal(number, handle)
