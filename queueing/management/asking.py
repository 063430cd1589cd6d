"""What the parts of `manage.py queue` share: tables, JSON, questions, and who may act."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from typing import Any

import msgspec
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from django.utils.dateparse import parse_datetime

from queueing.console.logbook import write_down
from queueing.console.plain import visible
from queueing.console.views import OPERATE
from queueing.console.words import UNKNOWN

AWAY = "Redis does not answer at settings.QUEUEING['OPTIONS']['url']: {}; once it does, run this again"


class AskingCommand(BaseCommand):
    def note(self, about: str, text: str) -> None:
        """Write down what was done. It is done: that PostgreSQL is away must not look as if it were not."""
        try:
            write_down(None, about, text)
        except (OperationalError, InterfaceError) as error:
            self.stderr.write(f"PostgreSQL does not answer, so the log does not have it: {text}: {error}")

    def confirm(self, question: str, *, yes: bool) -> None:
        """
        Raises:
            CommandError: nobody is there, or they did not say yes.
        """
        if not yes and self._answer(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise CommandError("nothing was changed")

    def confirm_by_typing(self, question: str, word: str, *, yes: bool) -> None:
        """For what can't be undone.

        Raises:
            CommandError: nobody is there, or they typed something else.
        """
        if not yes and self._answer(f"{question} Type {word} to agree: ") != word:
            raise CommandError("nothing was changed")

    def _answer(self, question: str) -> str:
        if not sys.stdin.isatty():
            raise CommandError("nobody is there to ask; --yes does it")
        # Not input(): its question goes where the answer's JSON goes, when that is a file.
        self.stderr.write(question, style_func=str, ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip()

    def _table(self, head: list[str], rows: list[list[str]]) -> None:
        rows = [
            [visible(cell).replace("\n", "\\n") for cell in row] for row in rows
        ]  # names of partitions come from messages, too
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        numeric = [_is_of_numbers([row[column] for row in rows]) for column in range(len(head))]
        for row in (head, *rows):
            cells = zip(row, widths, numeric, strict=True)
            line = "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells)
            self.stdout.write(line.rstrip())

    def _json(self, value: Any) -> None:
        # ASCII only: a message may carry bytes that a terminal would obey.
        self.stdout.write(json.dumps(msgspec.to_builtins(value), indent=2))


def operator(username: str) -> Any:
    """
    Raises:
        CommandError: this is nobody who may act.
    """
    user = get_user_model().objects.filter(username=username, is_staff=True, is_active=True).first()
    if user is None or not user.has_perm(OPERATE):
        raise CommandError(f"{username!r} is no staff account with the permission {OPERATE}")
    return user


def as_moment(text: str) -> int:
    """Milliseconds since 1970 of a time with its zone, for argparse."""
    try:
        moment: datetime | None = parse_datetime(text)
    except ValueError:  # well formed, and no such day
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with its zone; one is 2026-11-20T12:00:00+00:00")
    return int(moment.timestamp() * 1000)


def _is_of_numbers(cells: list[str]) -> bool:
    """The row of totals leaves some of them out."""
    return any(cells) and all(not cell or cell[0].isdigit() or cell == UNKNOWN for cell in cells)
