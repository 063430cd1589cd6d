"""`manage.py queue scale`: how many consumers each group should have and why, and a number for a while."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from queueing.autoscaler import asking
from queueing.console import words
from queueing.management.asking import AskingCommand

RELEASE = "release"
HELD_S = 600.0


class ScalingCommand(AskingCommand):
    """A part of the command `queue`."""

    def add_scaling_arguments(self, actions: Any) -> None:
        scale = actions.add_parser(
            "scale", help="consumers of each group, wanted and at work, and why; or hold a number"
        )
        scale.add_argument("group", nargs="?", default="")
        scale.add_argument(
            "consumers", nargs="?", help=f"hold this number for a while | {RELEASE}: what the lag asks for"
        )
        scale.add_argument("--seconds", type=float, default=HELD_S, help="how long it is held (default: %(default)g)")
        scale.add_argument("--why", default="", help="what the timeline says of it")
        scale.add_argument("--json", action="store_true", help="print JSON")

    def _scale(self, *, group: str, consumers: str | None, seconds: float, why: str, **options: Any) -> None:
        if consumers is not None:
            self._hold_or_release(group, consumers, seconds, why)
        known = asking.read_all()
        found = [known[group]] if group else list(known.values())
        if options["json"]:
            return self._json(found)
        rows = [
            [
                wanted.group,
                words.count(wanted.desired),
                words.count(wanted.actual),
                f"{wanted.least} to {wanted.most}",
                f"{wanted.held_until:%Y-%m-%d %H:%M:%S} UTC" if wanted.held_until else "",
                wanted.reason,
            ]
            for wanted in found
        ]
        return self._table(["GROUP", "WANTED", "AT WORK", "ALLOWED", "HELD UNTIL", "WHY"], rows)

    def _hold_or_release(self, group: str, consumers: str, seconds: float, why: str) -> None:
        if consumers == RELEASE:
            if asking.release(group):
                self.note(group, "Released the number of consumers")
            return
        if not consumers.isdecimal():
            raise CommandError(f"{consumers!r} is no number of consumers, nor {RELEASE!r}")
        try:
            asking.hold(group, int(consumers), seconds, why)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.note(group, f"Held {int(consumers)} consumers for {seconds:g} s" + (f": {why}" if why else ""))
