"""A bank that takes its time, when the fault room says so: whoever asks it waits, and nobody else should."""

from __future__ import annotations

import time

from queueing.faults.fault import Kind
from queueing.faults.outside import weather

LOOK_S = 0.1  # how soon whoever waits sees that the fault ended


def take_your_time() -> None:
    """Return as late as the bank answers just now."""
    here = weather(Kind.BANK)
    fault = here and here.of(Kind.BANK)
    if not here or not fault:
        return
    here.count(fault, asked=1)
    answer_at = time.monotonic() + fault.value
    while here.of(Kind.BANK) == fault and (wait_s := answer_at - time.monotonic()) > 0:
        time.sleep(min(wait_s, LOOK_S))
        here.look()
    here.count(fault, answered=1)
