"""What the relay does besides telling: append delayed messages that are due, and drop entries past retention."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from queueing.broker import Broker
from queueing.subscription import Subscription

logger = logging.getLogger("queueing.upkeep")

TRIM_EVERY_S = 10.0


@dataclass(slots=True)
class Upkeep:
    """Any number of processes may do it at once: each step is one script."""

    broker: Broker
    subscriptions: Mapping[str, Subscription]
    clock: Callable[[], float] = time.monotonic
    _next_trim: float = field(default=float("-inf"), init=False)

    def turn(self) -> None:
        """Call it about once a second.

        Consumers append what is due, too, and sooner; but they may all be down or busy.
        """
        if self.clock() >= self._next_trim:  # first: it makes room where there is none
            self._trim()
            self._next_trim = self.clock() + TRIM_EVERY_S
        self.broker.promote(list(self.broker.topics))

    def _trim(self) -> None:
        for name in self.broker.topics:
            hearers = [group for group, subscription in self.subscriptions.items() if name in subscription.topics]
            gone = self.broker.trim(name, hearers)
            if gone:
                logger.info("%s: %d entries past retention dropped", name, gone)
