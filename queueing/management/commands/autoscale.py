"""`manage.py autoscale`: all consumers of this machine, as many of each group as its lag needs."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from queueing.autoscaler.children import Nursery
from queueing.autoscaler.forking import STOPPING, Forking
from queueing.autoscaler.session import call_it
from queueing.autoscaler.spawning import Spawning
from queueing.autoscaler.supervisor import Supervisor
from queueing.conf import subscriptions, topics
from queueing.console.link import client
from queueing.consumer import consume
from queueing.management.commands.consume import with_lease
from queueing.subscription import Subscription


def can_fork() -> bool:
    """macOS's system libraries do not survive a fork, and a thread (OpenTelemetry starts one) is not forked with us."""
    return sys.platform != "darwin" and threading.active_count() == 1


class Command(BaseCommand):
    help = "Run the consumers of every group, as many as its lag needs, until SIGTERM or Ctrl-C; they leave first."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lease", type=float, help="seconds of silence that make a consumer dead, for every group")
        parser.add_argument(
            "--spawn", action="store_true", help="start consumers as programs of their own, not by fork"
        )

    def handle(self, *args: Any, lease: float | None, spawn: bool, **options: Any) -> None:
        groups = {group: with_lease(declared, lease) for group, declared in sorted(subscriptions().items())}
        nursery = self.forking(groups) if can_fork() and not spawn else spawning(lease)
        supervisor = self.supervisor(nursery, groups)
        for number in STOPPING:
            signal.signal(number, lambda *_: supervisor.stop())
        call_it("autoscaler")
        self.stdout.write(f"{supervisor.name} looks after {', '.join(groups)}")
        supervisor.run()
        self.stdout.write(f"{supervisor.name} has left")

    def supervisor(self, nursery: Nursery, groups: dict[str, Subscription]) -> Supervisor:
        return Supervisor(client(), nursery, groups, topics())

    def forking(self, groups: dict[str, Subscription]) -> Forking:
        gc.collect()
        gc.freeze()  # the collector's marks would make a copy of each page in each child

        def be(group: str, lifeline: int) -> None:
            consume(groups[group], say=self.stdout.write, lifeline=lifeline)

        return Forking(be)


def spawning(lease: float | None) -> Nursery:
    own = () if lease is None else ("--lease", str(lease))
    return Spawning(lambda group: (sys.executable, sys.argv[0], "consume", group, "--tied", *own))
