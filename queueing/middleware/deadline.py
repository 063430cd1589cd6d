"""End a process whose handler runs past its deadline, whatever the handler is busy with.

A thread of Python's cannot do it: a handler inside C code may keep the interpreter's lock for hours. faulthandler's
watchdog is a thread of C's that needs no lock; it writes every thread's traceback to stderr and calls `_exit`. What
the process was busy with stands in that traceback as the name of a frame: nothing else of ours can be printed there.
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Protocol

from queueing.message import Delivery
from queueing.middleware import Middleware, Step

NAMED = 4  # message ids; faulthandler cuts a name at 500 characters


class Alarm(Protocol):
    """Ends the process `seconds` after it was set, unless it is cancelled before. The simulation brings its own."""

    def set(self, seconds: float) -> None: ...

    def cancel(self) -> None: ...


class Watchdog:
    """The real one: a traceback on stderr, and exit code 1."""

    def set(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)

    def cancel(self) -> None:
        faulthandler.cancel_dump_traceback_later()


def deadline(group: str, seconds: float, *, alarm: Alarm | None = None) -> Middleware:
    """A middleware that gives each transaction of this group `seconds`; it stands around all others.

    Nothing is settled when the process ends: its messages come back one by one, each attempt counted before it begins,
    and one that ends its process every time is buried without being begun again.
    """
    watchdog = alarm or Watchdog()

    def in_time(batch: Sequence[Delivery], following: Step) -> None:
        call = _named(_what(group, seconds, batch))
        watchdog.set(seconds)
        try:
            call(batch, following)
        finally:
            watchdog.cancel()

    return in_time


def _what(group: str, seconds: float, batch: Sequence[Delivery]) -> str:
    named = ", ".join(f"{delivery.message.name} {delivery.message.id}" for delivery in batch[:NAMED])
    more = f" and {len(batch) - NAMED} more" if len(batch) > NAMED else ""
    return f"group {group!r}, deadline {seconds:g} s, {len(batch)} message(s): {named}{more}"


def _pass_on(batch: Sequence[Delivery], following: Step) -> None:
    following(batch)


def _named(name: str) -> Callable[[Sequence[Delivery], Step], None]:
    """`_pass_on`, called something else in tracebacks."""
    return FunctionType(_pass_on.__code__.replace(co_name=name, co_qualname=name), globals())
