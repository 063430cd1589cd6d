"""The admin's log: who did what to the queue, and when."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from queueing.console.plain import visible
from queueing.models import Queue


def write_down(user: Any, about: str, text: str, *, flag: int = CHANGE) -> LogEntry:
    return LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Queue),
        object_repr=visible(about)[:200],
        action_flag=flag,
        change_message=visible(text),
    )
