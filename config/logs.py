"""What is not worth a line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class OutageOncePerSecond(logging.Filter):
    """While PostgreSQL or Redis is away every request is a 503, and Django logs each as an error with its trace.

    One a second says as much, and leaves the machine to those who are starting the server again. /healthz is silent:
    a stack that is starting is asked ten times a second whether it is ready.
    """

    def __init__(self, name: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._clock = clock
        self._silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", None) != 503:
            return True
        if getattr(getattr(record, "request", None), "path", None) == "/healthz":
            return False
        now = self._clock()
        if now < self._silent_until:
            return False
        self._silent_until = now + 1.0
        return True
