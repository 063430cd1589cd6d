"""`python -m tests.drills.flock FOLDER`: the house's autoscaler, with consumers that a drill can hold down and arm.

The files in FOLDER are the keeper's (see there); a group's name stands for its one consumer. Consumers that a drill
stops for a while are not taken for frozen ones here.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

LEASE_S = 2
RESTART_AFTER_S = 0.2


def next_crash(folder: Path, name: str) -> dict[str, str]:
    """What the environment of its next life says; the wish is granted once."""
    wishes = folder / "crash" / name
    points = wishes.read_text().split() if wishes.exists() else []
    if not points:
        return {}
    wishes.write_text("\n".join(points[1:]))
    return {"SLUICE_CRASH_AT": points[0], "SLUICE_CRASH_NOTE": str(folder / "notes" / name)}


def note_pid(folder: Path, name: str, pid: int | None) -> None:
    note = folder / "pids" / name
    note.with_suffix(".new").write_text(str(pid))
    note.with_suffix(".new").rename(note)


def main(folder: Path) -> None:
    """Until a stop signal."""
    import django

    django.setup()
    from django.core.management import call_command

    from queueing import crashpoint
    from queueing.autoscaler.backoff import Backoff
    from queueing.autoscaler.children import Nursery
    from queueing.autoscaler.forking import Fork, Forking
    from queueing.autoscaler.supervisor import Supervisor
    from queueing.management.commands import autoscale
    from queueing.subscription import Subscription

    class Drilled(Forking):
        crash: Mapping[str, str]

        def start(self, group: str) -> Fork:
            if (folder / "hold" / group).exists():
                raise OSError("the drill holds it down")
            self.crash = next_crash(folder, group)
            fork = super().start(group)
            note_pid(folder, group, fork.pid)
            return fork

    class Command(autoscale.Command):
        def forking(self, groups: dict[str, Subscription]) -> Forking:
            ours = super().forking(groups)

            def be(group: str, lifeline: int) -> None:
                os.environ.update(drilled.crash)
                importlib.reload(crashpoint)  # it reads where to die when it is imported
                ours.be(group, lifeline)

            drilled = Drilled(be)
            return drilled

        def supervisor(self, nursery: Nursery, groups: dict[str, Subscription]) -> Supervisor:
            supervisor = super().supervisor(nursery, groups)
            for crew in supervisor.crews.values():
                crew.backoff = Backoff(first_s=RESTART_AFTER_S, longest_s=RESTART_AFTER_S)
                crew.frozen_leases = float("inf")
            return supervisor

    call_command(Command(), lease=LEASE_S)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(Path(sys.argv[1]))
