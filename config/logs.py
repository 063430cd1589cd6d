"""What is not worth a line."""

from __future__ import annotations

import logging


class NotHealthz(logging.Filter):
    """Django logs each 503 as an error; a stack that is starting is asked ten times a second whether it is ready."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        return getattr(request, "path", None) != "/healthz"
