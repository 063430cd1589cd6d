"""Who is dead: a consumer whose beat stood still for a whole lease, by the observer's own monotonic clock.

No TTL and no server time, so a clock that jumps an hour neither steals live messages nor freezes dead ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Watch:
    """One observer's memory of everybody's beats.

    lease_s: seconds of standing still that make a consumer dead.
    clock: seconds, monotonic, this process's own.
    """

    lease_s: float
    clock: Callable[[], float]
    _last: dict[str, tuple[str, float]] = field(default_factory=dict)

    def know_nothing(self) -> None:
        """The beats could not be read for a while. Whoever stood still meanwhile is judged from the next look on."""
        self._last = {}

    def observe(self, beats: Mapping[str, str]) -> list[str]:
        """Note these beats (consumer → anything that changes with each beat) and name the dead."""
        now = self.clock()
        self._last = {name: self._last.get(name, (beat, now)) for name, beat in beats.items()}
        dead = []
        for name, beat in beats.items():
            seen, since = self._last[name]
            if seen != beat:
                self._last[name] = (beat, now)
            elif now - since >= self.lease_s:
                dead.append(name)
        return dead
