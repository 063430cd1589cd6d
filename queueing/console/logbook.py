"""The admin's log: who did what, and when. Every action of an operator leaves a row here, the terminal's too."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models

from queueing.console.plain import visible
from queueing.models import Queue

# Whoever has a terminal on the machine may do anything, and needs no account; the row says who they are there.
COMMAND_LINE = "command-line"


def write_down(
    user: Any, about: str, text: str, *, flag: int = CHANGE, of: type[models.Model] = Queue, key: Any = None
) -> LogEntry:
    """A row of the log.

    user: None is the command line; the text then begins with the account and the host. about: what it was done to.
    text: what, and how many. of, key: the kind of thing, and which.
    """
    if user is None:
        user, text = _command_line(), f"{account()}: {text}"
    return LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(of),
        object_id=key,
        object_repr=visible(about)[:200],
        action_flag=flag,
        change_message=visible(text),
    )


def account() -> str:
    """root@shop-1"""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def _command_line() -> Any:
    """Nobody can log in as it."""
    found, _ = get_user_model().objects.get_or_create(
        username=COMMAND_LINE, defaults={"is_active": False, "password": "!"}
    )
    return found
