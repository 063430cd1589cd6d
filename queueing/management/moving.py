"""`manage.py queue reset | pause | resume | rate | prune | new-epoch`: what changes how a whole group goes on."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandError

from queueing.broker import BEGINNING, END, Position
from queueing.conf import subscriptions
from queueing.console import words
from queueing.console.moving import Move, NotRebuildable, forget_rate, pause_group, prune, reset_group, set_rate
from queueing.fence import current_epoch, raise_epoch
from queueing.management.asking import AskingCommand, as_moment
from queueing.subscription import WHOLE_GROUP

OFF, DECLARED = "off", "declared"


class MovingCommand(AskingCommand):
    """A part of the command `queue`."""

    def add_moving_arguments(self, actions: Any) -> None:
        reset = actions.add_parser("reset", help="put a group somewhere else in a topic: what lies ahead comes again")
        reset.add_argument("group")
        reset.add_argument("--topic", required=True)
        reset.add_argument("--partition", default="", help="in this partition only")
        to = reset.add_mutually_exclusive_group(required=True)
        to.add_argument("--beginning", dest="to", action="store_const", const=BEGINNING, help="of what is kept")
        to.add_argument("--end", dest="to", action="store_const", const=END, help="pass over everything there is")
        to.add_argument(
            "--to-time", dest="to", type=as_moment, help="2026-11-20T12:00:00+00:00: what was appended since"
        )
        to.add_argument("--to-offset", dest="to", help="1763641421000-0: the entry read next; needs --partition")
        again = reset.add_mutually_exclusive_group()
        again.add_argument("--redeliver", action="store_true", help="skip what was handled, by the inbox (the default)")
        again.add_argument("--reprocess", action="store_true", help="handle everything again; for rebuildable groups")
        pause = actions.add_parser("pause", help="let a group's consumers finish what they hold and read nothing")
        resume = actions.add_parser("resume", help="let them read again")
        for action in (pause, resume):
            action.add_argument("group")
        rate = actions.add_parser("rate", help="cap a group's messages a second, while its consumers run")
        rate.add_argument("group")
        rate.add_argument("rate", type=_rate, help="messages a second | off | declared: what the subscription says")
        rate.add_argument(
            "--topic", default=WHOLE_GROUP, help="of this topic alone; else of all that have no cap of their own"
        )
        inbox = actions.add_parser("prune", help="delete inbox rows of messages that can no longer come")
        epoch = actions.add_parser("new-epoch", help="void every lease of the ordered groups; each is given anew")
        epoch.add_argument("--yes", action="store_true", help="do not ask")
        for action in (reset, inbox):
            action.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
            action.add_argument("--yes", action="store_true", help="do not ask")
        for action in (reset, pause, resume, rate, inbox, epoch):
            action.add_argument("--json", action="store_true", help="print JSON")

    def _reset(self, *, group: str, topic: str, partition: str, to: Position, reprocess: bool, **options: Any) -> None:
        if isinstance(to, str) and to not in (BEGINNING, END) and not partition:
            raise CommandError("an offset belongs to one partition; say which with --partition")

        def move(*, dry_run: bool) -> list[Move]:
            try:
                return reset_group(
                    group=group, topic=topic, partition=partition, to=to, reprocess=reprocess, dry_run=dry_run
                )
            except (ValueError, NotRebuildable) as error:
                raise CommandError(str(error)) from error

        moves = move(dry_run=True)
        if not options["dry_run"]:
            self.confirm(
                f"Put {group} back to {sum(m.lag for m in moves):,} messages behind, from "
                f"{sum(m.lag_before for m in moves):,}, in {len(moves)} partition(s) of {topic}?",
                yes=options["yes"],
            )
            moves = move(dry_run=False)
            before, after = sum(m.lag_before for m in moves), sum(m.lag for m in moves)
            how = ", to process it again" if reprocess else ""
            self.note(group, f"Put {group} at {to} in {topic}{how}: lag {before:,} before, {after:,} now")
        if options["json"]:
            return self._json(moves)
        rows = [[m.topic, m.partition, words.count(m.lag_before), words.count(m.lag)] for m in moves]
        return self._table(["TOPIC", "PARTITION", "LAG BEFORE", "LAG"], rows)

    def _pause(self, **options: Any) -> None:
        self._set_paused(True, **options)

    def _resume(self, **options: Any) -> None:
        self._set_paused(False, **options)

    def _set_paused(self, paused: bool, *, group: str, **options: Any) -> None:
        if group not in subscriptions():
            raise CommandError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
        pause_group(group=group, paused=paused)
        self.note(group, f"{'Paused' if paused else 'Resumed'} {group}")
        if options["json"]:
            return self._json({"group": group, "paused": paused})
        state = "paused: its consumers finish what they hold and read nothing" if paused else "reading"
        return self.stdout.write(f"{group} is {state}.")

    def _rate(self, *, group: str, topic: str, rate: float | str, **options: Any) -> None:
        try:
            if rate == DECLARED:
                forget_rate(group=group, topic=topic)
            else:
                set_rate(group=group, topic=topic, rate=None if rate == OFF else float(rate))
        except ValueError as error:
            raise CommandError(str(error)) from error
        what = f"{topic} in {group}" if topic else group
        self.note(group, f"Rate of {what}: {rate if isinstance(rate, str) else f'{rate:g} messages/s'}")
        if options["json"]:
            return self._json({"group": group, "topic": topic, "rate": rate})
        how = {OFF: "has no cap", DECLARED: "has the cap that its subscription declares"}.get(str(rate))
        own = [name for name in subscriptions()[group].caps if name] if not topic else []
        but = f"; its own cap stays with {', '.join(own)}" if own else ""
        return self.stdout.write(f"{what} {how or f'is capped at {rate:g} messages a second'}{but}.")

    def _prune(self, **options: Any) -> None:
        if not options["dry_run"]:
            self.confirm("Delete inbox rows of messages that can no longer come?", yes=options["yes"])
        gone = prune(dry_run=options["dry_run"])
        if not options["dry_run"]:
            self.note("inbox", f"Deleted {sum(gone.values()):,} inbox rows of messages that can no longer come")
        if options["json"]:
            return self._json(gone)
        return self._table(
            ["GROUP", "INBOX ROWS"], [[group, words.count(rows)] for group, rows in sorted(gone.items())]
        )

    def _new_epoch(self, **options: Any) -> None:
        before = current_epoch()
        self.confirm(f"End epoch {before}? Partitions of ordered groups pause for about a second.", yes=options["yes"])
        raise_epoch(above=before)
        epoch = current_epoch()
        self.note("leases", f"Began epoch {epoch} of the ordered groups' leases")
        return self._json({"epoch": epoch}) if options["json"] else self.stdout.write(f"Epoch {epoch} begins.")


def _rate(text: str) -> float | str:
    if text in (OFF, DECLARED):
        return text
    with suppress(ValueError):
        if 0 < (rate := float(text)) < float("inf"):
            return rate
    raise argparse.ArgumentTypeError(f"{text!r} is no number of messages a second, nor {OFF}, nor {DECLARED}")
