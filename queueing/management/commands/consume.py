"""`manage.py consume <group>`: one consumer process of one group."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from queueing.conf import make_broker, subscriptions
from queueing.consumer import calm_the_collector, make_worker
from queueing.db import limit_session
from queueing.faults.exposed import Exposed, exposed
from queueing.middleware.deadline import deadline
from queueing.middleware.timing import timing


class Command(BaseCommand):
    help = "Run one consumer of a group until SIGTERM or Ctrl-C; it finishes the batch at hand and leaves."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("group", help="which one, as the handlers.py of its app declares it")
        parser.add_argument("--lease", type=float, help="seconds of silence that make a consumer dead")

    def handle(self, *args: Any, group: str, lease: float | None, **options: Any) -> None:
        subscription = subscriptions().get(group)
        if subscription is None:
            raise CommandError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
        if lease is not None:
            try:
                subscription = dataclasses.replace(subscription, lease_s=lease)
            except ValueError as wrong:
                raise CommandError(str(wrong)) from wrong
        limit_session(lease_s=subscription.lease_s)
        in_time = deadline(group, subscription.handler_deadline_s)
        broker = make_broker()
        faults = exposed(subscription, broker) if settings.FAULT_ROOM else Exposed()
        worker = make_worker(
            subscription, broker, outermost=[*faults.outermost, in_time, timing], innermost=faults.innermost,
            lookouts=faults.lookouts,
        )  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        self.stdout.write(f"{worker.consumer} reads {', '.join(subscription.topics)}")
        calm_the_collector()
        worker.run()
        self.stdout.write(f"{worker.consumer} has left")
