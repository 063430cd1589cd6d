"""Which dead letters `manage.py queue dead | replay | purge` means: their arguments, and what they come to."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import CommandError

from queueing.conf import topics
from queueing.console.choosing import Choice
from queueing.management.asking import as_moment


def add_choice(action: argparse.ArgumentParser) -> None:
    action.add_argument("group", nargs="?", default="", help="of this group only")
    action.add_argument("--id", action="append", default=[], help="this message; may be given again")
    action.add_argument("--topic", default="", help="that came by this topic")
    action.add_argument("--partition", default="", help="of this partition")
    action.add_argument("--event", default="", help="of this name, as orders.OrderPlaced")
    action.add_argument("--key", default="", help="of this key")
    action.add_argument("--reason", default="", help="whose reason contains this text")
    action.add_argument("--text", default="", help="with this text in id, key, name, reason or traceback")
    action.add_argument("--since", type=as_moment, help="buried then or later: 2026-11-20T12:00:00+00:00")
    action.add_argument("--before", type=as_moment, help="buried before then")
    action.add_argument("--oldest-first", action="store_true", help="instead of the newest")


def choice_of(options: dict[str, Any]) -> Choice:
    if options["topic"] and options["topic"] not in topics():
        raise CommandError(f"no topic is called {options['topic']!r}; there are: {', '.join(sorted(topics()))}")
    return Choice(
        group=options["group"],
        topic=options["topic"],
        partition=options["partition"],
        event=options["event"],
        key=options["key"],
        reason=options["reason"],
        text=options["text"],
        ids=tuple(dict.fromkeys(options["id"])),
        since_ms=options["since"],
        before_ms=options["before"],
        newest_first=not options["oldest_first"],
        limit=options["limit"],
    )


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of letters from 1 on")
    return int(text)
