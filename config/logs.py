"""How a log line looks, and what is not worth one.

A line carries what it is about, wherever it was written: the request's facts (config/request_context.py), those of the
messages that a consumer handles (queueing/saying.py), and what the line itself names by `extra`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import structlog
from structlog.contextvars import get_contextvars
from structlog.stdlib import ProcessorFormatter

from queueing.console.plain import visible

FACTS = ("group", "messages", "message_id", "order_id", "sale_id", "trace_id", "path")


class Plain(logging.Formatter):
    """For people: `WARNING payments: no answer [order_id=…, message_id=…]`."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        line = super().formatMessage(record)
        said = [f"{name}={_short(value)}" for name, value in facts(record).items() if str(value) not in line]
        return f"{line} [{', '.join(said)}]" if said else line


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a line is about."""
    found = {**get_contextvars(), **record.__dict__}
    return {name: found[name] for name in FACTS if found.get(name)}


def _short(value: Any) -> str:
    """An id comes from a message, and a message from anywhere."""
    return visible(" ".join(map(str, value)) if isinstance(value, list) else str(value)).replace("\n", "\\n")[:200]


def one_object_a_line() -> ProcessorFormatter:
    """For programs: time, level, logger, event, the facts and the traceback, as JSON."""
    return ProcessorFormatter(
        processors=[ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ExtraAdder(allow=FACTS),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
    )


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
