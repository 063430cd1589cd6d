"""`manage.py audit`: is everything true that must be? Its exit code is the number of broken rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.audit.errors import AuditError
from config.audit.evidence import gather
from config.audit.verdict import judge

CANNOT_JUDGE = 100  # more than there are rules: nobody takes "no evidence" for a count of broken ones


class Command(BaseCommand):
    help = "Prove from raw rows, stream entries and buyers' history that nothing is lost, doubled or oversold."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
        parser.add_argument("--history", type=Path, help="what buyers were told (JSON lines, of a load test)")
        parser.add_argument("--sale", type=int, help="judge this sale only")
        parser.add_argument(
            "--fault", action="append", default=[], choices=["redis_data_lost"],
            help="declare what was done on purpose, if the history does not say so",
        )  # fmt: skip
        parser.add_argument(
            "--wait", type=float, default=0.0, metavar="SECONDS",
            help="wait so long for rest; what is still on its way then breaks rule 12",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with gather(
                sale_id=options["sale"],
                history_path=options["history"],
                wait_s=options["wait"],
                faults=options["fault"],
            ) as evidence:
                verdict = judge(evidence, has_history=options["history"] is not None)
        except (AuditError, psycopg.OperationalError, redis.RedisError) as error:
            raise CommandError(f"Cannot judge: {error}", returncode=CANNOT_JUDGE) from error
        if options["json"]:
            self.stdout.write(json.dumps(verdict.as_json()))
        else:
            for line in verdict.as_text():
                self.stdout.write(line)
        if verdict.broken:
            sys.exit(verdict.broken)
