"""Waiting on a Redis Cluster, where no command may name keys of two slots: not even one that waits for either.

So whoever waits there looks again and again, each time at all its partitions in one round trip. The pauses grow while
nothing comes, so that an idle consumer costs next to nothing, and never beyond what a new message may be late.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

FIRST_S, LONGEST_S = 0.002, 0.09  # a new message is seen within 0.1 s, the look itself included

T = TypeVar("T")


@dataclass(slots=True)
class Patience:
    """pause_s outlives a single wait: a consumer that was idle is still idle when it waits again."""

    pause_s: float = FIRST_S

    def wait(self, look: Callable[[], T], found: Callable[[T], bool], wait_s: float) -> T:
        """The first look that found something, or the last one after `wait_s` s."""
        deadline = time.monotonic() + wait_s
        while not found(seen := look()):
            left = deadline - time.monotonic()
            if left <= 0:
                return seen
            time.sleep(min(self.pause_s, left))
            self.pause_s = min(2 * self.pause_s, LONGEST_S)
        self.pause_s = FIRST_S
        return seen
