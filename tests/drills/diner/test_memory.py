"""Memory stays flat over a million messages at full count."""

from __future__ import annotations

import psutil
import pytest

from queueing.topic import Topic
from tests.drills.diner.crew import FULL, SCALE, Crew
from tests.drills.diner.events import GROUP

pytestmark = pytest.mark.drill
MESSAGES = 100_000 * SCALE if FULL else 20_000
WARM_AFTER = 10_000  # batches of 500 have been decoded, handled and acknowledged by then, on every partition
CHUNK = 5_000
# A leak of a single pointer a message is 8 MB in a million; a list of their ids alone would be 85.
MAY_GROW_BYTES = 6_000_000


def test_memory_stays_flat_over_a_million_messages(crew: Crew) -> None:
    crew.broker.topics = {"dishes": Topic("dishes", partitions=4, retention_messages=CHUNK)}
    waiter = crew.hire(lease_s=10)
    process = psutil.Process(waiter.pid)
    warm = trimmed = 0

    while crew.ordered < MESSAGES:
        crew.order(CHUNK)
        crew.wait_for_rest()
        trimmed += crew.broker.trim("dishes", [GROUP])
        if crew.ordered == WARM_AFTER:
            warm = process.memory_info().rss

    grown = process.memory_info().rss - warm
    print(f"{crew.ordered:,} messages: {warm / 1e6:.1f} MB, grown by {grown / 1e6:.1f} MB")
    assert warm > 0
    assert grown < MAY_GROW_BYTES
    assert waiter.pids == [process.pid], "it is one process from the first message to the last"
    crew.each_was_served_once()
    crew.the_audit_finds_nothing(trimmed=trimmed)
