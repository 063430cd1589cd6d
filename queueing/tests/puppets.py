"""Children that are no processes: they do what the test says."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from itertools import count

PIDS = count(5_000_000)  # above any that Linux gives


@dataclass
class Puppet:
    pid: int
    group: str
    told_to_leave: bool = False
    code: int | None = None

    def exit_code(self) -> int | None:
        return self.code

    def leave(self) -> None:
        self.told_to_leave = True

    def kill(self) -> None:
        self.code = -signal.SIGKILL


@dataclass
class Puppets:
    """room: how many there may be."""

    room: int = 1_000
    all: list[Puppet] = field(default_factory=list)

    def start(self, group: str) -> Puppet:
        if sum(puppet.code is None for puppet in self.all) >= self.room:
            raise OSError("Resource temporarily unavailable")
        self.all.append(Puppet(next(PIDS), group))
        return self.all[-1]

    def at_work(self, group: str) -> list[Puppet]:
        return [p for p in self.all if p.group == group and p.code is None and not p.told_to_leave]

    def those_told_have_left(self) -> None:
        for puppet in self.all:
            if puppet.told_to_leave and puppet.code is None:
                puppet.code = 0
