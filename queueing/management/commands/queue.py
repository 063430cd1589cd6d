"""`manage.py queue`: the operator's page on a terminal."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from queueing.conf import subscriptions
from queueing.console import selectors, words
from queueing.console.consumers import COLUMNS, consumers
from queueing.console.plain import visible
from queueing.console.retiring import undeclared_groups
from queueing.console.snapshot import Counts, Snapshot
from queueing.errors import BrokerUnavailable, StoreUnavailable
from queueing.management.asking import AWAY
from queueing.management.growing import GrowingCommand
from queueing.management.letters import LetterCommand
from queueing.management.moving import MovingCommand
from queueing.management.retiring import RetiringCommand
from queueing.management.scaling import ScalingCommand
from queueing.management.watching import WatchingCommand

# Each action may be run again: it finishes what it began, and what is done already changes nothing.
STORE_AWAY = "PostgreSQL does not answer: {}; once it does, run this again"
INTERRUPTED = "interrupted: what is done stays done, and running this again does the rest"
COUNTS = ("LAG", "OLDEST", "IN FLIGHT", "DELAYED", "LATER", "PARKED", "DEAD", "APPENDED", "ACKED")


class Command(LetterCommand, MovingCommand, GrowingCommand, RetiringCommand, ScalingCommand, WatchingCommand):
    help = "Look at the message queue, replay its dead letters, and put its groups where they should be."
    requires_system_checks = ["queueing"]

    def add_arguments(self, parser: CommandParser) -> None:
        names = (
            "groups | topics | consumers | lag | dead | replay | purge | reset | pause | resume | rate | prune"
            " | scale | add-partitions | retire | new-epoch"
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar=names)
        groups = actions.add_parser("groups", help="lag, dead letters and consumers of each group, and the outbox")
        topics = actions.add_parser("topics", help="the same for each topic of each group")
        who = actions.add_parser("consumers", help="each consumer: its rate, what it holds, where it runs")
        for action in (groups, topics, who):
            action.add_argument("--json", action="store_true", help="print JSON; ages are milliseconds")
        self.add_watching_arguments(actions)
        self.add_letter_arguments(actions)
        self.add_moving_arguments(actions)
        self.add_scaling_arguments(actions)
        self.add_growing_arguments(actions)
        self.add_retiring_arguments(actions)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        group = options.get("group", "")
        if group and group not in subscriptions():
            raise CommandError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
        try:
            getattr(self, "_" + action.replace("-", "_"))(**options)
        except (RedisError, BrokerUnavailable) as error:
            raise CommandError(AWAY.format(error)) from error
        except (OperationalError, InterfaceError, StoreUnavailable) as error:
            raise CommandError(STORE_AWAY.format(str(error).partition("\n")[0])) from error
        except KeyboardInterrupt as error:
            raise CommandError(INTERRUPTED, returncode=128 + signal.SIGINT) from error
        except BrokenPipeError:  # `queue dead | head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python flushes into it as it ends
            raise SystemExit(128 + signal.SIGPIPE) from None

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
        if forgotten := undeclared_groups():
            self.stdout.write(
                f"Declared by nobody, and holding up trimming until retired: {visible(', '.join(forgotten))}"
            )
        return None

    def _consumers(self, **options: Any) -> None:
        snapshot = self._snapshot()
        if options["json"]:
            return self._json([{"group": group.group, "consumers": group.consumers} for group in snapshot.groups])
        found = consumers(snapshot)
        if not found:
            return self.stdout.write("No consumer has said a word.")
        rows = [[one.group, one.name, one.state, *one.cells] for one in found]
        return self._table(["GROUP", "CONSUMER", "STATE", *map(str.upper, COLUMNS)], rows)

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

    def _snapshot(self) -> Snapshot:
        reading = selectors.read_queue()
        if reading.snapshot is None or reading.unknown_since is not None:
            raise CommandError(AWAY.format(reading.why))
        return reading.snapshot


def _counts(counts: Counts) -> list[str]:
    return [
        words.count(counts.lag),
        words.span_ms(counts.oldest_age_ms),
        *map(words.count, (counts.in_flight, counts.delayed, counts.later, counts.parked)),
        _dead(counts),
        *map(words.count, (counts.appended, counts.acked)),
    ]


def _dead(counts: Counts) -> str:
    quarantined = f" ({words.count(counts.quarantined)} quarantined)" if counts.quarantined else ""
    return f"{words.count(counts.dead)}{quarantined}"
