"""`manage.py queue add-partitions`: let a topic grow while everybody goes on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from queueing.console.growing import Growth, grow_topic, next_growth
from queueing.errors import CannotGrow, UnknownTopic
from queueing.management.asking import AskingCommand


class GrowingCommand(AskingCommand):
    """A part of the command `queue`."""

    def add_growing_arguments(self, actions: Any) -> None:
        grow = actions.add_parser("add-partitions", help="double a topic's partitions, while everybody goes on")
        grow.add_argument("topic")
        grow.add_argument("--dry-run", action="store_true", help="say what would be split, and stop")
        grow.add_argument("--yes", action="store_true", help="do not ask")
        grow.add_argument("--json", action="store_true", help="print JSON")

    def _add_partitions(self, *, topic: str, **options: Any) -> None:
        try:
            growth = next_growth(topic=topic)
            if not options["dry_run"]:
                self.confirm(_question(growth), yes=options["yes"])
                growth = grow_topic(topic=topic, to=growth.becomes)
                self.note(topic, f"Let {topic} grow to {growth.partitions} partitions of {growth.becomes}")
        except (UnknownTopic, CannotGrow) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            return self._json(growth)
        rows = [
            [split.partition, split.new, "yes" if split.done else "no", ", ".join(split.waiting) or "nobody"]
            for split in growth.splits
        ]
        self._table(["PARTITION", "NEW", "SPLIT", "NOT READ YET BY"], rows)
        return self.stdout.write(f"{topic}: {growth.partitions} of {growth.becomes} partitions.")


def _question(growth: Growth) -> str:
    if growth.unfinished:
        return f"Finish letting {growth.topic} grow to {growth.becomes} partitions?"
    return f"Split the {growth.partitions} partitions of {growth.topic} into {growth.becomes}? There is no way back."
