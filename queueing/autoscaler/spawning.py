"""A consumer is a program of its own: where a process that has used the system's libraries must not fork (macOS)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Spawned:
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        return self.process.poll()

    def leave(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()


@dataclass(slots=True)
class Spawning:
    """command: of a group's consumer, which leaves when its stdin closes."""

    command: Callable[[str], Sequence[str]]

    def start(self, group: str) -> Spawned:
        return Spawned(subprocess.Popen(self.command(group), stdin=subprocess.PIPE, start_new_session=True))
