"""Who else supervises: alive while their counts change, by this observer's own clock (see queueing.heartbeat)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from queueing.autoscaler.records import Beat
from queueing.heartbeat import Watch

SILENT_S = 5.0  # of standing still, and its share is taken over
FORGET_S = 60.0


def house() -> str:
    """Where a pid means the same process: this machine, and on Linux this namespace of pids."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()}:{namespace.stat().st_ino if namespace.exists() else ''}"


@dataclass(slots=True)
class Others:
    """me: this supervisor's name. clock: seconds, monotonic."""

    me: str
    clock: Callable[[], float]
    house: str = field(default_factory=house)
    _alive: Watch = field(init=False)
    _kept: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._alive = Watch(SILENT_S, self.clock)
        self._kept = Watch(FORGET_S, self.clock)

    def observe(self, beats: Mapping[str, Beat]) -> tuple[dict[str, Beat], list[str]]:
        """The others that are alive, and those to be forgotten."""
        counts = {name: str(beat.count) for name, beat in beats.items() if name != self.me}
        gone = [name for name in counts if self._has_gone(beats[name])]
        silent = {*gone, *self._alive.observe(counts)}
        return {name: beats[name] for name in counts if name not in silent}, [*gone, *self._kept.observe(counts)]

    def know_nothing(self) -> None:
        """The beats could not be read. Else each would take over the other's share when Redis is back."""
        self._alive.know_nothing()
        self._kept.know_nothing()

    def _has_gone(self, beat: Beat) -> bool:
        """One of this house that was killed: nobody need wait until its count stands still for long."""
        if beat.house != self.house:
            return False
        try:
            os.kill(beat.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's
        return False
