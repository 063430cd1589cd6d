"""SIGSTOP for three leases in competing mode: the claimant is not blocked, and the zombie changes nothing.

(queueing/tests/test_ordered_processes.py freezes holders of an ordered group, whom the fencing token stops.)
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.drills.diner.crew import Crew
from tests.drills.diner.freezing import PLACES

pytestmark = pytest.mark.drill
LEASE_S = 1.0


def test_who_is_frozen_for_three_leases_changes_nothing_when_he_wakes(crew: Crew) -> None:
    zombies = {}
    for where in PLACES:
        if where == "bury":
            bad = crew.order(deed="raise")
        else:
            crew.order(5)
        zombies[where] = crew.hire(freeze=where, attempts=1 if where == "bury" else 2)
        crew.wait_for(zombies[where].is_frozen, f"frozen at {where}")
    frozen_at = time.monotonic()
    crew.hire()
    crew.order(5)

    crew.wait_for_rest(dead=1)
    assert all(zombie.is_frozen() for zombie in zombies.values()), "the claimant waits for nobody"
    crew.wait_for(lambda: time.monotonic() - frozen_at > 3 * LEASE_S, "three leases")
    for zombie in zombies.values():
        zombie.signal(signal.SIGCONT)

    # Its watchdog and its commit wake together; whichever is first, nothing comes of it.
    zombie = zombies["handler"]
    crew.wait_for(lambda: zombie.ends == [1] or "the database is away" in zombie.said(), "the watched one has ended")
    unwatched = zombies["handler-unwatched"]
    crew.wait_for(lambda: "the database is away" in unwatched.said(), "the commit of the unwatched one failed")
    crew.wait_for(lambda: "acknowledged 5, ours 0" in unwatched.said(), "and then his acknowledgement")
    crew.wait_for(lambda: "acknowledged 5, ours 0" in zombies["ack"].said(), "a late acknowledgement failed")
    crew.wait_for(lambda: "buried 1, ours 0" in zombies["bury"].said(), "a late burial failed")
    assert all(zombies[where].lives for where in PLACES if where != "handler"), "a zombie works on"
    crew.wait_for_rest(dead=1)
    crew.each_was_served_once(but=bad)
    assert len(crew.letters()) == 1
    crew.the_audit_finds_nothing()
