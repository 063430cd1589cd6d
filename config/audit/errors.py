"""What keeps the audit from judging at all. Each is a sentence for whoever ran it."""

from __future__ import annotations


class AuditError(Exception):
    """The audit could not be done."""


class UnreadableHistory(AuditError):
    """The history file is missing or malformed."""


class LogsTrimmedTooFast(AuditError):
    """Each time the audit looked, retention dropped entries of these logs before it had read them."""

    def __init__(self, logs: str) -> None:
        super().__init__(f"retention drops entries faster than the audit can read them: {logs}; try again")
