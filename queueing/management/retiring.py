"""`manage.py queue retire`: forget a group that is not declared any more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from queueing.console import words
from queueing.console.retiring import Retired, StillAtWork, retire_group
from queueing.management.asking import AskingCommand, operator


class RetiringCommand(AskingCommand):
    """A part of the command `queue`."""

    def add_retiring_arguments(self, actions: Any) -> None:
        retire = actions.add_parser("retire", help="forget a group that is not declared any more; it holds up trimming")
        retire.add_argument("name", metavar="group")
        retire.add_argument("--user", required=True, help="who you are: a staff account that may operate, for the log")
        retire.add_argument("--dry-run", action="store_true", help="say what it leaves, and stop")
        retire.add_argument("--yes", action="store_true", help="do not ask")
        retire.add_argument("--json", action="store_true", help="print JSON")

    def _retire(self, *, name: str, **options: Any) -> None:
        user = operator(options["user"])
        try:
            found = retire_group(group=name, dry_run=True)
            if not options["json"]:
                self._say(found)
            if not options["dry_run"]:
                self.confirm_by_typing("All of this is forgotten for good.", name, yes=options["yes"])
                found = retire_group(group=name, user=user)
        except (ValueError, StillAtWork) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            return self._json({"dry_run": options["dry_run"], "retired": found})
        return None if options["dry_run"] else self.stdout.write(f"{name} is retired.")

    def _say(self, found: Retired) -> None:
        counts = ("lag", "in_flight", "delayed", "parked", "dead")
        rows = [
            [row.topic, row.partition, *(words.count(getattr(row, name)) for name in counts)] for row in found.remains
        ]
        self._table(["TOPIC", "PARTITION", *(name.upper().replace("_", " ") for name in counts)], rows)
        self.stdout.write(f"{words.count(found.inbox_rows)} inbox rows.")
