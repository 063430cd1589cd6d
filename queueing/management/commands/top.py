"""`manage.py top`: the operator's page on a terminal, live."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.live import Live

from queueing.management.asking import AWAY, AskingCommand
from queueing.terminal.frame import Frame
from queueing.terminal.keyboard import keyboard
from queueing.terminal.view import View, as_json, look

EVERY_S = 1.0
LEAVE = ("q", "Q", "\x04", "\x1b")  # q, Ctrl-D, Escape


class Command(AskingCommand):
    help = "Watch the queue: lag, rates, dead letters and consumers of each group, every second. q or Ctrl-C ends it."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="print one frame, and end")
        how.add_argument("--json", action="store_true", help="print the sample as JSON, and end; ages are milliseconds")

    def handle(self, *args: Any, once: bool, json: bool, no_color: bool, **options: Any) -> None:
        out = options.get("stdout") or sys.stdout
        console = Console(file=out, no_color=no_color or None, highlight=False)  # None: as NO_COLOR says
        if json:
            self._json(as_json(_known()))
        elif once:
            console.print(Frame(_known()))
        elif not console.is_terminal or console.is_dumb_terminal:
            raise CommandError("this is no terminal to draw on; ask for one frame with --once or --json")
        else:
            _watch(console)


def _known() -> View:
    view = look()
    if view.reading.snapshot is None or view.reading.unknown_since is not None:
        raise CommandError(AWAY.format(view.reading.why))
    return view


def _watch(console: Console) -> None:
    """Until a key or a signal says so. The terminal is left as it was found, with what stood on it before."""
    with keyboard() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while keys.ended_by is None:
            due = time.monotonic() + EVERY_S
            live.update(Frame(look()), refresh=True)
            while keys.ended_by is None and (left := due - time.monotonic()) > 0:
                if keys.wait(left) in LEAVE:
                    return
                live.refresh()  # it may have another size
    if keys.ended_by == signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
