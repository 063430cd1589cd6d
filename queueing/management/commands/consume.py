"""`manage.py consume <group>`: one consumer process of one group."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from queueing.conf import subscriptions
from queueing.consumer import consume
from queueing.subscription import Subscription


def with_lease(subscription: Subscription, lease_s: float | None) -> Subscription:
    """
    Raises:
        CommandError: its handlers' deadline is not within this lease.
    """
    if lease_s is None:
        return subscription
    try:
        return dataclasses.replace(subscription, lease_s=lease_s)
    except ValueError as wrong:
        raise CommandError(str(wrong)) from wrong


class Command(BaseCommand):
    help = "Run one consumer of a group until SIGTERM or Ctrl-C; it finishes the batch at hand and leaves."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("group", help="which one, as the handlers.py of its app declares it")
        parser.add_argument("--lease", type=float, help="seconds of silence that make a consumer dead")
        parser.add_argument("--tied", action="store_true", help="leave, too, when stdin closes: the supervisor is gone")

    def handle(self, *args: Any, group: str, lease: float | None, tied: bool, **options: Any) -> None:
        subscription = subscriptions().get(group)
        if subscription is None:
            raise CommandError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
        subscription = with_lease(subscription, lease)
        consume(subscription, say=self.stdout.write, lifeline=sys.stdin.fileno() if tied else None)
