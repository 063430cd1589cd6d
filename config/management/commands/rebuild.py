"""`manage.py rebuild`: what the relay does by itself within a second, by hand, and until it is done."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.recovery.look import NotPrimary, connect, losses, read_found, read_known
from config.recovery.turn import turn
from inventory import rebuilds
from queueing.console.logbook import write_down

POLL_S = 0.2


class Command(BaseCommand):
    help = "Compare Redis with PostgreSQL; close, rebuild and open the gates whose data was lost."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sale", type=int, help="rebuild this sale's gate even if nothing shows a loss")
        parser.add_argument("--dry-run", action="store_true", help="say what is lost and change nothing")
        parser.add_argument(
            "--within", type=float, default=60.0, metavar="SECONDS", help="give up after so long; calling again goes on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._look(options["sale"], dry_run=options["dry_run"])
            if not options["dry_run"]:
                self._rebuild(options["within"])
        except (NotPrimary, redis.RedisError) as error:
            raise CommandError(str(error)) from error

    def _look(self, sale_id: int | None, *, dry_run: bool) -> None:
        with closing(connect(settings.REDIS_URL)) as client:
            known = read_known(thorough=True)
            if sale_id is not None and sale_id not in known.sales:
                raise CommandError(f"sale {sale_id} never had a gate")
            lost = losses(known, read_found(client, list(known.sales)))
        if sale_id is not None:
            lost.setdefault(sale_id, "an operator asked for it")
        for sale, reason in lost.items():
            self.stdout.write(f"sale {sale}: {reason}")
        if not lost:
            self.stdout.write("nothing is lost")
        if lost and not dry_run:
            rebuilds.declare_lost(reasons=lost)
            said = "; ".join(f"sale {sale}: {reason}" for sale, reason in lost.items())
            write_down(None, "gates", f"Declared {len(lost)} gates lost, to be rebuilt: {said}")

    def _rebuild(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not (done := turn(thorough=True)).is_well:
            if time.monotonic() > deadline:
                left = "; ".join(f"sale {sale}: {why}" for sale, why in done.waiting.items())
                raise CommandError(f"not done within {within_s:.0f} s: {left or 'somebody else is at it'}")
            time.sleep(POLL_S)
        self.stdout.write("every gate is open to those who may buy")
