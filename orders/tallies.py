"""Answers to purchases, counted where they are given: how many of each kind, and how long they took.

Plain numbers of this process that only grow. Whoever shows them (config/traffic) takes the difference of two looks;
here nothing is reset or sent, so an answer costs a quarter of a microsecond and nothing is allocated that stays.
"""

from __future__ import annotations

import threading
from time import perf_counter_ns

from orders.errors import REASONS
from orders.histogram import BUCKETS, HALF, LONGEST_US

ADMITTED, BROKEN = "admitted", "internal"
OUTCOMES = (ADMITTED, *REASONS, BROKEN)


class Tally:
    """One thread's. `took` holds all answers, `took_admitted` those of them that were 202; see orders/histogram.py."""

    __slots__ = ("answers", "took", "took_admitted")

    def __init__(self) -> None:
        self.answers = dict.fromkeys(OUTCOMES, 0)
        self.took = [0] * BUCKETS
        self.took_admitted = [0] * BUCKETS

    def note(self, outcome: str, since_ns: int) -> None:
        """One answer. since_ns: perf_counter_ns() when the request was whole."""
        took = (perf_counter_ns() - since_ns) // 1000
        if took > LONGEST_US:
            took = LONGEST_US
        shift = took.bit_length() - HALF - 1  # as bucket_of, without the call
        bucket = (shift << HALF) + (took >> shift) if shift > 0 else took
        self.took[bucket] += 1
        if outcome == ADMITTED:
            self.took_admitted[bucket] += 1
        self.answers[outcome] += 1


LANE = Tally()  # the event loop's
PAGES = Tally()  # Django's threads'
_one_at_a_time = threading.Lock()


def note_in_a_thread(outcome: str, since_ns: int) -> None:
    """As LANE.note, for Django's views: their threads are many, and `+= 1` is two steps."""
    with _one_at_a_time:
        PAGES.note(outcome, since_ns)
