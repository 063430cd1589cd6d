"""Supervisors on a real Redis, with puppets for children and a clock by hand: what they agree on, what they tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import redis

from queueing import keys
from queueing.autoscaler import others, supervisor
from queueing.autoscaler.limits import Limits
from queueing.autoscaler.records import Event, Hold
from queueing.autoscaler.supervisor import Supervisor
from queueing.event import Event as Fact
from queueing.subscription import Subscription
from queueing.tests.puppets import Puppets
from queueing.tests.test_memory import Clock
from queueing.topic import Topic
from queueing.worker import name_prefix


class Baked(Fact):
    wire = "tests.Baked"
    topic = "oven"
    key_field = "loaf"

    loaf: str


def bake(events: Sequence[Baked]) -> None: ...


BAKERS = Subscription("bakers", {Baked: bake}, scaling=Limits(most=8, up_pause_s=2, down_pause_s=4))
TOPICS = {"oven": Topic("oven", partitions=2)}


@dataclass
class Machine:
    """One supervisor and its children. Its seconds pass when the bakery's do."""

    client: Any
    clock: Clock
    subscription: Subscription = BAKERS
    puppets: Puppets = field(default_factory=Puppets)

    def __post_init__(self) -> None:
        groups = {self.subscription.group: self.subscription}
        self.supervisor = Supervisor(self.client, self.puppets, groups, TOPICS, clock=self.clock)
        self.supervisor._others.house = f"house {id(self)}"  # a machine of its own

    def look(self) -> None:
        self.supervisor.look()
        self.puppets.those_told_have_left()
        self.supervisor.turn()

    @property
    def consumers(self) -> int:
        return len(self.puppets.at_work("bakers"))


class Bakery:
    def __init__(self, client: Any) -> None:
        self.client, self.clock, self.machines = client, Clock(), []

    def machine(self, **options: Any) -> Machine:
        self.machines.append(Machine(self.client, self.clock, **options))
        return self.machines[-1]

    def seconds(self, count: int) -> list[int]:
        """How many consumers there were after each."""
        found = []
        for _ in range(count):
            self.clock.now += 1
            for machine in self.machines:
                machine.look()
            found.append(sum(machine.consumers for machine in self.machines))
        return found

    def lag(self, produced: int, acked: int = 0) -> None:
        self.client.hset(keys.meta("oven", "0"), "appended", produced)
        self.client.hset(keys.counters("oven", "0", "bakers"), mapping={"skipped": 0, "acked": acked})

    def told(self) -> list[Event]:
        return [msgspec.json.decode(event, type=Event) for event in self.client.lrange(keys.SCALE_EVENTS, 0, -1)]


@pytest.fixture
def bakery(client: redis.Redis) -> Bakery:
    return Bakery(client)


def test_it_grows_on_lag_and_shrinks_when_it_is_gone(bakery: Bakery) -> None:
    machine = bakery.machine()
    assert bakery.seconds(2) == [1, 1]

    bakery.lag(50_000)
    grown = bakery.seconds(8)
    assert grown[0] == 2, "with the first sample over 10,000"
    assert grown[-1] == 8

    bakery.lag(50_000, 50_000)
    assert bakery.seconds(16)[-1] == 1
    assert machine.supervisor.crews["bakers"].wanted == 1
    changes = [(event.direction, event.desired) for event in bakery.told() if event.direction != "hold"]
    assert changes == [("up", 2), ("up", 4), ("up", 8), ("down", 4), ("down", 2), ("down", 1)]


def test_each_decision_is_told_with_its_numbers_and_a_hold_once(bakery: Bakery) -> None:
    bakery.machine()
    bakery.seconds(3)
    bakery.lag(20_000)
    bakery.seconds(1)
    bakery.lag(20_000, 15_000)
    bakery.seconds(10)

    told = bakery.told()

    assert [event.reason.partition(",")[0] for event in told if event.direction == "hold"][:1] == ["lag 0 is below 1"]
    up = next(event for event in told if event.direction == "up")
    assert (up.lag, up.desired, up.actual, up.reason) == (20_000, 2, 1, "lag 20,000 is above 10,000")
    assert up.supervisor == bakery.machines[0].supervisor.name
    between = [event for event in told if event.direction == "hold" and "between" in event.reason]
    assert len(between) == 1, "the first of its kind"


def test_what_was_decided_outlives_the_supervisor(bakery: Bakery) -> None:
    bakery.machine()
    bakery.lag(50_000)
    bakery.seconds(4)
    assert bakery.machines[0].consumers == 4

    bakery.machines.clear()
    bakery.client.delete(keys.SCALERS)
    bakery.machine()

    assert bakery.seconds(1) == [4]


class TestTwoMachines:
    def test_they_share_and_change_the_number_once(self, bakery: Bakery) -> None:
        ada, sam = bakery.machine(), bakery.machine()
        assert bakery.seconds(3)[-1] == 1

        bakery.lag(50_000)
        bakery.seconds(9)
        assert (ada.consumers, sam.consumers) == (4, 4)
        assert [event.desired for event in bakery.told() if event.direction == "up"] == [2, 4, 8]

    def test_at_rest_nothing_moves(self, bakery: Bakery) -> None:
        bakery.machine(), bakery.machine(), bakery.machine()
        bakery.client.hset(keys.scale("bakers"), mapping={"serial": 1, "desired": 5})
        bakery.lag(5_000)
        bakery.seconds(5)
        started = [len(machine.puppets.all) for machine in bakery.machines]

        assert set(bakery.seconds(30)) == {5}
        assert [len(machine.puppets.all) for machine in bakery.machines] == started

    def test_the_share_of_one_that_is_silent_is_taken_over_and_given_back(self, bakery: Bakery) -> None:
        ada, sam = bakery.machine(), bakery.machine()
        bakery.client.hset(keys.scale("bakers"), mapping={"serial": 1, "desired": 4})
        bakery.lag(5_000)
        bakery.seconds(4)
        assert (ada.consumers, sam.consumers) == (2, 2)

        bakery.machines.remove(sam)  # its network is gone, its children work on
        bakery.seconds(int(others.SILENT_S) + 2)
        assert ada.consumers == 4

        bakery.machines.append(sam)
        bakery.seconds(4)
        assert (ada.consumers, sam.consumers) == (2, 2)

    def test_when_redis_comes_back_nobody_takes_the_other_for_gone(
        self, bakery: Bakery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada, sam = bakery.machine(), bakery.machine()
        bakery.client.hset(keys.scale("bakers"), mapping={"serial": 1, "desired": 4})
        bakery.lag(5_000)
        bakery.seconds(4)

        def hang(*_: object) -> None:
            raise redis.TimeoutError("Timeout reading from socket")

        with monkeypatch.context() as outage:
            outage.setattr(supervisor, "look", hang)
            bakery.seconds(int(others.SILENT_S) + 5)

        assert set(bakery.seconds(4)) == {4}
        assert (len(ada.puppets.all), len(sam.puppets.all)) == (2 + 2, 2)

    def test_of_one_that_was_killed_on_this_machine_the_next_takes_over_at_once(self, bakery: Bakery) -> None:
        bakery.machine()
        bakery.seconds(1)
        (name,) = bakery.client.hkeys(keys.SCALERS)
        beat = msgspec.json.decode(bakery.client.hget(keys.SCALERS, name))
        # The first pid that nobody has.
        beat |= {"house": others.house(), "pid": next(pid for pid in range(4_000_000, 5_000_000) if not runs(pid))}
        bakery.client.hset(keys.SCALERS, name, msgspec.json.encode(beat))
        bakery.machines.clear()
        again = bakery.machine()
        again.supervisor._others.house = others.house()

        assert bakery.seconds(1) == [1]
        assert name not in bakery.client.hkeys(keys.SCALERS)


class TestOperators:
    def test_a_hold_goes_first_and_ends_by_itself(self, bakery: Bakery) -> None:
        machine = bakery.machine()
        bakery.lag(50_000)
        bakery.seconds(3)
        assert machine.consumers > 1

        self.hold(bakery, 0, ms=60_000)
        assert bakery.seconds(2) == [0, 0]
        assert "held at 0 until" in bakery.told()[-1].reason
        self.hold(bakery, 0, ms=-1)
        assert bakery.seconds(1)[0] > 0
        assert bakery.told()[-1].reason == "nobody holds the number any more"

    def test_more_than_the_most_may_be_held(self, bakery: Bakery) -> None:
        bakery.machine()
        self.hold(bakery, 11, ms=60_000)

        assert bakery.seconds(1) == [11]

    def test_one_consumer_may_be_asked_to_leave(self, bakery: Bakery) -> None:
        machine = bakery.machine()
        bakery.seconds(1)
        (first,) = machine.puppets.at_work("bakers")
        until_ms = self.now_ms(bakery) + 60_000
        bakery.client.hset(keys.scale("bakers"), f"drain:{name_prefix('bakers', first.pid)}abc", until_ms)

        assert bakery.seconds(2) == [1, 1]
        assert first.code == 0
        assert not [name for name in bakery.client.hkeys(keys.scale("bakers")) if name.startswith(b"drain:")]
        assert len(machine.puppets.all) == 2, "one that came instead, and no more"

    def hold(self, bakery: Bakery, consumers: int, *, ms: int) -> None:
        hold = Hold(consumers=consumers, until_ms=self.now_ms(bakery) + ms)
        bakery.client.hset(keys.scale("bakers"), "hold", msgspec.json.encode(hold))

    def now_ms(self, bakery: Bakery) -> int:
        return int(bakery.client.time()[0]) * 1000


def test_an_ordered_group_has_no_more_consumers_than_partitions(bakery: Bakery) -> None:
    bakery.machine(subscription=Subscription("bakers", {Baked: bake}, mode="ordered", scaling=BAKERS.scaling))
    bakery.lag(50_000)

    assert bakery.seconds(9)[-1] == 2


class TestRedisAway:
    @pytest.fixture
    def shaky(self, client: redis.Redis) -> Iterator[Any]:
        class Shaky(redis.Redis):
            away = False

            def execute_command(self, *args: Any, **options: Any) -> Any:
                if self.away:
                    raise redis.ConnectionError("gone")
                return super().execute_command(*args, **options)

            def pipeline(self, *args: Any, **options: Any) -> Any:
                if self.away:
                    raise redis.ConnectionError("gone")
                return super().pipeline(*args, **options)

        with Shaky.from_url(os.environ["REDIS_URL"]) as shaky:
            yield shaky

    def test_consumers_stay_as_they_are_and_one_that_ends_is_replaced(
        self, shaky: Any, bakery: Bakery, caplog: pytest.LogCaptureFixture
    ) -> None:
        bakery.client = shaky
        machine = bakery.machine()
        bakery.lag(50_000)
        bakery.seconds(3)
        before = machine.consumers
        assert before > 1
        bakery.lag(50_000, 45_000)

        shaky.away = True
        machine.puppets.at_work("bakers")[0].code = 1
        assert bakery.seconds(120)[-1] == before
        assert sum("Redis is away" in record.message for record in caplog.records) == 1, "said once"

        shaky.away = False
        assert bakery.seconds(1) == [before], "nobody is killed for what was not seen"
        assert any("ended after" in event.reason for event in bakery.told()), "told as soon as it can be"


def test_a_crash_loop_stands_on_the_timeline(bakery: Bakery) -> None:
    machine = bakery.machine()
    bakery.seconds(1)
    for _ in range(10):
        for puppet in machine.puppets.at_work("bakers"):
            puppet.code = 1
        bakery.seconds(1)

    told = [event for event in bakery.told() if event.direction == "replaced"]

    assert "(exit code 1, 3 in a row); another starts in 2.0 s" in told[2].reason
    assert len(told) < 6, "it waits longer and longer"


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
