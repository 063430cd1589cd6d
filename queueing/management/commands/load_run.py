"""`manage.py load_run`: keep what the charts showed during a load run, so that they can show it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from queueing.console.load_runs import keep_run


class Command(BaseCommand):
    help = "Keep the series of a load run that has just ended: the queue itself remembers an hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="how the charts' menu calls it")
        parser.add_argument("--began", type=moment, required=True, help="seconds since 1970")
        parser.add_argument("--ended", type=moment, help="seconds since 1970; now by default")

    def handle(self, *_: Any, name: str, began: datetime, ended: datetime | None, **__: Any) -> None:
        try:
            run = keep_run(name=name, began=began, ended=ended)
        except (ValueError, RedisError) as error:
            raise CommandError(f"nothing was kept: {error}") from error
        seconds = (run.ended - run.began).total_seconds()
        self.stdout.write(f"kept {seconds:.0f} s of the charts as {run}")


def moment(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC)
