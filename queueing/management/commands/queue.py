"""`manage.py queue`: the operator's page on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from redis.exceptions import RedisError

from queueing.conf import subscriptions
from queueing.console import selectors, words
from queueing.console.letters import DeadLetter
from queueing.console.services import replay_dead_letters
from queueing.console.snapshot import Counts, Snapshot
from queueing.console.views import OPERATE
from queueing.management.moving import MovingCommand

AWAY = "Redis does not answer at settings.QUEUEING['OPTIONS']['url']: {}"
COUNTS = ("LAG", "OLDEST", "IN FLIGHT", "DELAYED", "LATER", "PARKED", "DEAD", "APPENDED", "ACKED")


class Command(MovingCommand):
    help = "Look at the message queue, replay its dead letters, and put its groups where they should be."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        names = "groups | topics | dead | replay | reset | pause | resume | rate | prune | new-epoch"
        actions = parser.add_subparsers(dest="action", required=True, metavar=names)
        self.add_moving_arguments(actions)
        groups = actions.add_parser("groups", help="lag, dead letters and consumers of each group, and the outbox")
        topics = actions.add_parser("topics", help="the same for each topic of each group")
        dead = actions.add_parser("dead", help="the newest dead letters")
        replay = actions.add_parser("replay", help="move dead letters back to the group that failed")
        for action in (groups, topics, dead):
            action.add_argument("--json", action="store_true", help="print JSON; ages are milliseconds")
        for action in (dead, replay):
            action.add_argument("--group", default="", help="of this group only")
            action.add_argument("--limit", type=int, default=selectors.PAGE, help="the newest so many (%(default)s)")
        replay.add_argument("--id", action="append", default=[], help="of this message; may be given again")
        replay.add_argument("--user", required=True, help="who you are: a staff account that may replay, for the log")
        replay.add_argument("--dry-run", action="store_true", help="say what would be replayed, and stop")
        replay.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        group = options.get("group", "")
        if group and group not in subscriptions():
            raise CommandError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
        try:
            getattr(self, "_" + action.replace("-", "_"))(**options)
        except RedisError as error:
            raise CommandError(AWAY.format(error)) from error

    def _groups(self, **options: Any) -> None:
        snapshot = self._snapshot()
        if options["json"]:
            return self._json(snapshot)
        rows = [
            [
                group.group,
                *_counts(group),
                str(group.alive),
                "paused" if group.paused else "",
                words.caps(group.caps),
            ]
            for group in snapshot.groups
        ]
        self._table(["GROUP", *COUNTS, "ALIVE", "STATE", "CAP"], [*rows, ["all", *_counts(snapshot.total), "", "", ""]])
        box = snapshot.outbox
        if box is None:
            self.stdout.write("Outbox: not known, PostgreSQL does not answer")
        else:
            self.stdout.write(f"Outbox: {words.count(box.waiting)} waiting, oldest {words.span_ms(box.oldest_age_ms)}")
        return None

    def _topics(self, **options: Any) -> None:
        snapshot = self._snapshot()
        if options["json"]:
            return self._json([{"group": group.group, "topics": group.topics} for group in snapshot.groups])
        rows = [
            [
                group.group,
                topic.topic,
                str(topic.partitions),
                *_counts(topic),
                *map(words.count, (topic.kept, topic.trimmed)),
            ]
            for group in snapshot.groups
            for topic in group.topics
        ]
        return self._table(["GROUP", "TOPIC", "PARTITIONS", *COUNTS, "KEPT", "TRIMMED"], rows)

    def _dead(self, **options: Any) -> None:
        letters = selectors.dead_letters(group=options["group"], limit=options["limit"])
        if options["json"]:
            return self._json([{"group": letter.group, **msgspec.to_builtins(letter.parked)} for letter in letters])
        return self._letters(letters)

    def _replay(self, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["user"], is_staff=True, is_active=True).first()
        if user is None or not user.has_perm(OPERATE):
            raise CommandError(f"{options['user']!r} is no staff account with the permission {OPERATE}")
        letters = self._chosen(options["id"], group=options["group"], limit=options["limit"])
        self._letters(letters)
        if options["dry_run"] or not letters:
            return
        if not options["yes"]:
            if not sys.stdin.isatty():
                raise CommandError("nobody is there to ask; --yes replays them")
            if input(f"Replay {len(letters)}? [y/N] ").strip().lower() not in ("y", "yes"):
                raise CommandError("nothing was replayed")
        outcome = replay_dead_letters(user=user, addresses=[letter.address for letter in letters])
        if outcome.broken_off:
            raise CommandError(str(outcome))
        self.stdout.write(f"{outcome}.")

    def _chosen(self, ids: Sequence[str], *, group: str, limit: int) -> list[DeadLetter]:
        if not ids:
            return selectors.dead_letters(group=group, limit=limit)
        found = [letter for id_ in ids for letter in selectors.dead_letters_called(id_, group=group)]
        missing = set(ids) - {letter.parked.id for letter in found}
        if missing:
            raise CommandError(f"not among the dead letters: {', '.join(sorted(missing))}")
        return found

    def _snapshot(self) -> Snapshot:
        reading = selectors.read_queue()
        if reading.snapshot is None or reading.unknown_since is not None:
            raise CommandError(AWAY.format(reading.why))
        return reading.snapshot

    def _letters(self, letters: Iterable[DeadLetter]) -> None:
        rows = [
            [
                letter.group,
                letter.event,
                letter.id[:36],
                str(letter.parked.attempts),
                str(letter.parked.replays),
                f"{letter.last_failed_at:%Y-%m-%d %H:%M:%S}",
                " ".join(letter.reason.split())[:80],
            ]
            for letter in letters
        ]
        if not rows:
            self.stdout.write("No dead letters.")
            return
        self._table(["GROUP", "EVENT", "ID", "ATTEMPTS", "REPLAYS", "LAST FAILURE (UTC)", "REASON"], rows)

    def _table(self, head: list[str], rows: list[list[str]]) -> None:
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        numeric = [all(row[column][:1].isdigit() for row in rows) for column in range(len(head))]
        for row in (head, *rows):
            cells = zip(row, widths, numeric, strict=True)
            line = "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells)
            self.stdout.write(line.rstrip())

    def _json(self, value: Any) -> None:
        # ASCII only: a message may carry bytes that a terminal would obey.
        self.stdout.write(json.dumps(msgspec.to_builtins(value), indent=2))


def _counts(counts: Counts) -> list[str]:
    return [
        words.count(counts.lag),
        words.span_ms(counts.oldest_age_ms),
        *map(words.count, (counts.in_flight, counts.delayed, counts.later, counts.parked, counts.dead)),
        *map(words.count, (counts.appended, counts.acked)),
    ]
