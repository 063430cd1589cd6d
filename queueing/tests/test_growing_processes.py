"""Drill 18: partitions grow under load. Real processes; those who produce, consume and grow are killed meanwhile."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from queueing.tests.growing_kitchen import SENT, TABLES, plate
from queueing.tests.ordered_kitchen import LEASE_S
from queueing.tests.test_ordered_processes import ROOT, House, house

__all__ = ["house"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.drill]

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-m", "queueing.tests.growing_kitchen", *words], cwd=ROOT))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait(timeout=20)


def test_drill_18_partitions_grow_under_load_in_order_without_pause_or_loss(
    house: House, start: Start, client: redis.Redis
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    waiters = [house.hire(), house.hire()]
    producer = start("produce", str(seed))
    house.wait_for(lambda: len(house.served()) > 40)

    growing = start("grow", "8")
    longest = longest_pause_s(house, until=lambda: growing.poll() == 0 and len(house.holders()) == 2
                              and house.holders().total() == 8)  # fmt: skip
    assert longest < LEASE_S, f"seed {seed}: nothing was served for {longest:.1f} s"

    dying = start("grow", "16", str(rng.randint(2, 30)))
    house.wait_for(lambda: dying.poll() == -signal.SIGKILL)
    producer.kill()
    waiters[rng.randrange(2)].kill()
    house.hire()
    producer = start("produce", str(seed + 1))
    at_once = [start("grow", "16"), start("grow", "16")]
    house.wait_for(lambda: all(process.poll() == 0 for process in at_once))
    house.wait_for(lambda: house.holders().total() == 16 and len(house.holders()) == 2)
    producer.send_signal(signal.SIGTERM)
    house.wait_for(lambda: producer.poll() == 0)

    sent = int(client.get(SENT) or 0)
    stats = house.broker.stats
    house.wait_for(lambda: len(house.served()) >= sent)
    house.wait_for(lambda: not any(row.lag or row.delayed or row.parked for row in stats({"waiters": ["plates"]})))
    served = house.served()
    assert sorted(number for _, number, _ in served) == list(range(sent)), f"seed {seed}: lost or doubled"
    for table in map(str, range(TABLES)):
        numbers = [number for t, number, _ in served if t == table]
        assert numbers == sorted(numbers), f"seed {seed}: table {table}"
    rows = stats({"waiters": ["plates"]})
    assert len(rows) == 16
    assert sum(row.appended > 0 for row in rows) > 8, "grown partitions are used"
    for row in rows:
        assert row.appended == row.acked == row.done - row.moved, row
    assert sum(row.moved for row in rows) == 0
    assert len({plate(number).key for number in range(sent)}) == TABLES, "every table was served"


def longest_pause_s(house: House, *, until: Callable[[], bool]) -> float:
    """The longest time in which nothing was served, while it lasted."""
    longest, count, changed = 0.0, len(house.served()), time.monotonic()

    def over() -> bool:
        nonlocal longest, count, changed
        now_served = len(house.served())
        if now_served > count:
            count, changed = now_served, time.monotonic()
        longest = max(longest, time.monotonic() - changed)
        return until()

    house.wait_for(over)
    return longest
