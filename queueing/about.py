"""What a consumer says of itself with each beat: where it runs, how much it has handled, how fast, how large it is."""

from __future__ import annotations

import os
import resource
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

OVER_S = 10.0  # a rate is over the last so many seconds


class About(msgspec.Struct, frozen=True, kw_only=True):
    """handled: deliveries finished with since it started, whatever became of them. per_s: of the last ten seconds."""

    host: str
    pid: int
    handled: int
    per_s: float
    memory_bytes: int


@dataclass(slots=True)
class Workload:
    """One consumer's own count. clock: seconds, monotonic."""

    clock: Callable[[], float]
    handled: int = 0
    _seen: deque[tuple[float, int]] = field(default_factory=deque, init=False)
    _host: str = field(default_factory=socket.gethostname, init=False)

    def about(self) -> About:
        """Call it about twice a second."""
        now = self.clock()
        self._seen.append((now, self.handled))
        while now - self._seen[0][0] > OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        per_s = (self.handled - before) / (now - since) if now > since else 0.0
        return About(
            host=self._host, pid=os.getpid(), handled=self.handled, per_s=round(per_s, 1), memory_bytes=_memory_bytes()
        )


def _memory_bytes() -> int:
    """Resident now; where there is no /proc, the most it ever was."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
