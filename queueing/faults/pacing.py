"""Each consumer of a group handles so many messages a second: then the consumer is the limit, and more of them help."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from queueing.faults.fault import Kind
from queueing.faults.weather import Weather
from queueing.message import Delivery
from queueing.middleware import Middleware, Step

LOOK_S = 0.1  # how soon one that waits sees that the fault ended


def pace(
    weather: Weather,
    *,
    longest_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Middleware:
    """A middleware outside the transaction: a batch begins once the one before it has had its time.

    longest_s: the most it waits, so that a consumer with large batches is not taken for dead.
    """
    free_at = clock()

    def at_its_pace(batch: Sequence[Delivery], following: Step) -> None:
        nonlocal free_at
        fault = weather.of(Kind.PACE)
        if fault is None:
            following(batch)
            return
        while weather.of(Kind.PACE) and (wait_s := free_at - clock()) > 0:
            sleep(min(wait_s, LOOK_S))
            weather.look()
        began = clock()
        following(batch)
        free_at = began + min(longest_s, len(batch) / fault.value)
        weather.count(fault, messages=len(batch))

    return at_its_pace
