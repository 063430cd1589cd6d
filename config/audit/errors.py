"""What keeps the audit from judging at all. Each is a sentence for whoever ran it."""

from __future__ import annotations


class AuditError(Exception):
    """The audit could not be done."""


class UnreadableHistory(AuditError):
    """The history file is missing or malformed."""
