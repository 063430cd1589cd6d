"""Waiting for other processes: until something is so, and never longer than a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str | Callable[[], Any] = "", *, within_s: float = 20.0) -> Any:
    """What `condition` returns as soon as it is true; AssertionError with `what` when that takes too long."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what() if callable(what) else what}"
        time.sleep(0.02)
    return found
