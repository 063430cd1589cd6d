"""A group's children: started, told to leave, replaced when they end or stand still. Puppets, and a clock by hand."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

import pytest

from queueing.autoscaler.backoff import Backoff
from queueing.autoscaler.children import Crew
from queueing.tests.puppets import Puppet, Puppets
from queueing.tests.test_memory import Clock
from queueing.worker import name_prefix

LEASE_S = 10.0


@dataclass
class Kitchen:
    puppets: Puppets = field(default_factory=Puppets)
    told: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.crew = Crew("bakers", self.puppets, LEASE_S, self.told.append, self.clock)

    def want(self, consumers: int) -> None:
        self.crew.aim(consumers)
        self.crew.turn()

    def at_work(self) -> list[Puppet]:
        return [puppet for puppet in self.puppets.all if puppet.code is None and not puppet.told_to_leave]


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


def test_as_many_as_are_wanted_are_started_at_once(kitchen: Kitchen) -> None:
    kitchen.want(3)

    assert len(kitchen.at_work()) == kitchen.crew.actual == 3


def test_the_youngest_is_told_to_leave_and_counts_no_more(kitchen: Kitchen) -> None:
    kitchen.want(3)
    kitchen.want(1)

    assert [puppet.told_to_leave for puppet in kitchen.puppets.all] == [False, True, True]
    assert kitchen.crew.actual == 1
    assert len(kitchen.crew.kept) == 3, "they finish their batches first"

    kitchen.puppets.all[2].code = 0
    kitchen.crew.turn()
    assert len(kitchen.crew.kept) == 2
    assert kitchen.told == [], "to leave when told is no event"


def test_who_leaves_is_not_called_back_when_more_are_wanted(kitchen: Kitchen) -> None:
    kitchen.want(2)
    kitchen.want(1)
    kitchen.want(2)

    assert len(kitchen.puppets.all) == 3
    assert kitchen.crew.actual == 2


def test_who_ended_is_replaced_after_waits_that_double(kitchen: Kitchen) -> None:
    kitchen.want(1)
    waits = []
    for _ in range(8):
        kitchen.clock.now += 1
        kitchen.at_work()[0].code = 1
        kitchen.crew.turn()
        assert kitchen.at_work() == []
        waits.append(kitchen.crew.due_in_s)
        kitchen.clock.now += kitchen.crew.due_in_s
        kitchen.crew.turn()
        assert len(kitchen.at_work()) == 1

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert "ended after 1 s (exit code 1, 4 in a row); another starts in 4.0 s" in kitchen.told[3]


def test_who_was_at_work_for_long_is_replaced_soon(kitchen: Kitchen) -> None:
    kitchen.want(1)
    for _ in range(3):
        kitchen.clock.now += 1
        kitchen.at_work()[0].code = 1
        kitchen.crew.turn()
        kitchen.clock.now += 10
        kitchen.crew.turn()
    kitchen.clock.now += 31

    kitchen.at_work()[0].code = -signal.SIGKILL
    kitchen.crew.turn()

    assert kitchen.crew.due_in_s == 0.5
    assert "ended after 31 s (killed by SIGKILL); another starts in 0.5 s" in kitchen.told[-1]


def test_several_that_end_together_are_one_failure() -> None:
    backoff = Backoff()

    assert [backoff.failed(started_at=0.0, now=5.0), backoff.failed(started_at=0.0, now=5.25)] == [0.5, 0.25]
    assert backoff.in_a_row == 1


def test_a_machine_without_room_for_another_is_asked_again(kitchen: Kitchen) -> None:
    kitchen.puppets.room = 1
    kitchen.want(2)

    assert kitchen.crew.actual == 1
    assert "no consumer could be started" in kitchen.told[0]
    kitchen.puppets.room = 2
    kitchen.clock.now += kitchen.crew.due_in_s
    kitchen.crew.turn()
    assert kitchen.crew.actual == 2


def test_one_that_is_to_be_drained_leaves_and_another_comes(kitchen: Kitchen) -> None:
    kitchen.want(2)
    first = kitchen.puppets.all[0]
    name = f"{name_prefix('bakers', first.pid)}a1b2c3"

    kitchen.crew.aim(2, [name, "bakers-elsewhere-1-ffffff"])
    kitchen.crew.turn()

    assert first.told_to_leave
    assert len(kitchen.at_work()) == 2
    assert kitchen.crew.own([name, "bakers-elsewhere-1-ffffff"]) == (name,)


class TestStandingStill:
    def test_who_stands_still_for_three_leases_is_killed_and_replaced(self, kitchen: Kitchen) -> None:
        kitchen.want(2)
        frozen, lively = kitchen.puppets.all
        beats = {name_prefix("bakers", puppet.pid) + "1": "5" for puppet in (frozen, lively)}
        for second in range(32):
            kitchen.clock.now = second
            beats[name_prefix("bakers", lively.pid) + "1"] = str(second)
            kitchen.crew.observe(beats)
            kitchen.crew.turn()

        assert frozen.code == -signal.SIGKILL
        assert lively.code is None
        assert "stood still for 31 s and was killed" in kitchen.told[0]

    def test_one_that_never_beat_is_killed_too(self, kitchen: Kitchen) -> None:
        kitchen.want(1)
        kitchen.clock.now += 3 * LEASE_S + 1
        kitchen.crew.observe({})

        assert kitchen.puppets.all[0].code == -signal.SIGKILL

    def test_nobody_is_judged_by_what_was_not_seen(self, kitchen: Kitchen) -> None:
        """Redis was away: who could not beat did not stand still."""
        kitchen.want(1)
        kitchen.crew.observe({})
        for _ in range(100):
            kitchen.clock.now += 1
            kitchen.crew.know_nothing()
        kitchen.crew.observe({})

        assert kitchen.puppets.all[0].code is None

    def test_a_new_name_is_a_sign_of_life(self, kitchen: Kitchen) -> None:
        """A worker that lost the broker goes on under another name."""
        kitchen.want(1)
        prefix = name_prefix("bakers", kitchen.puppets.all[0].pid)
        for name in ("1", "2", "3"):
            kitchen.crew.observe({prefix + name: "1"})
            kitchen.clock.now += 2.9 * LEASE_S

        kitchen.crew.observe({prefix + "3": "1"})
        assert kitchen.puppets.all[0].code is None
