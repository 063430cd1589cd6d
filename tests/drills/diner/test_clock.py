"""A clock that jumps an hour neither steals messages from the living nor freezes those of the dead.

What is proved: the wall clocks of consumers, who observe each other, play no part. Redis's own clock cannot be moved
here; it has nothing to say either: nothing is claimed by its idle time, and no key expires but the charts' series.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from queueing.brokers import lua
from tests.drills.diner.crew import Crew

pytestmark = pytest.mark.drill
HOUR_S = 3600


def test_clocks_that_jump_an_hour_neither_steal_nor_freeze_messages(crew: Crew) -> None:
    pace = {"takes_s": 0.2, "batch": 5, "attempts": 5, "lease_s": 2}
    fast, slow = crew.hire(jump_s=HOUR_S, **pace), crew.hire(jump_s=-HOUR_S, **pace)
    crew.order(60)
    crew.wait_for(lambda: {pid for _, pid in crew.served()} == {fast.pid, slow.pid}, "both at work")
    for waiter in (fast, slow):
        waiter.signal(signal.SIGUSR1)
        crew.wait_for(lambda waiter=waiter: "the clock jumps" in waiter.said(), "the jump")

    crew.wait_for_rest()
    assert crew.redelivered() == 0, "who lives keeps what he holds"

    crew.order(20)
    crew.wait_for(lambda: fast.pid in {pid for _, pid in crew.served()[60:]}, "at work again")
    fast.signal(signal.SIGKILL)
    crew.wait_for_rest()
    assert slow.lives
    crew.each_was_served_once()
    crew.the_audit_finds_nothing()


def test_nothing_of_the_queue_expires_but_what_charts_are_drawn_of(crew: Crew) -> None:
    crew.order(20)
    crew.order(deed="raise")
    waiter = crew.hire(attempts=100)
    crew.wait_for(lambda: crew.total()["done"] == 20 and crew.total()["delayed"] == 1, "one that is retried")

    ages = {key.decode(): crew.broker.redis.ttl(key) for key in crew.broker.redis.scan_iter()}

    assert len(ages) > 10
    assert [key for key, age_s in ages.items() if age_s != -1 and ":series" not in key] == []
    assert waiter.lives


def test_no_script_claims_by_idle_time() -> None:
    """XAUTOCLAIM and a least idle time go by Redis's wall clock."""
    scripts = {path.name: path.read_text() for path in Path(lua.__file__).parent.glob("*.lua")}
    claims = re.findall(r"'XCLAIM', \w+, [^,]+, [^,]+, (\w+)", "".join(scripts.values()))

    assert claims
    assert set(claims) == {"0"}
    del scripts["series.lua"], scripts["bucket.lua"]  # old charts, and a bucket that is empty: of no value to anybody
    assert not [name for name, text in scripts.items() if re.search(r"XAUTOCLAIM|EXPIRE|'IDLE'|, 'P?[EP]X'", text)]
