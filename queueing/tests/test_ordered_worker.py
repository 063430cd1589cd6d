"""Ordered mode on the memory broker: keys keep their order, partitions move gently, and tokens never run backwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from queueing.brokers.memory import MemoryBroker
from queueing.errors import LeaseLost, NotYet
from queueing.leases import Lease, Token, Where, fair_share, place_of
from queueing.message import Delivery, Message, new_id
from queueing.middleware import Step
from queueing.ordered import OrderedWorker
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.tests.test_worker import KettleBoiled, KettleSold
from queueing.topic import Topic


@dataclass
class Fences:
    """A database that compares tokens."""

    current: int = 1
    known: dict[Where, tuple[int, int]] = field(default_factory=dict)

    def epoch(self) -> int:
        return self.current

    def raise_epoch(self, above: int) -> None:
        self.current = max(self.current, above + 1)

    def admit(self, lease: Lease) -> bool:
        if self.known.get((lease.topic, lease.partition), (0, 0)) >= lease.token:
            return False
        self.known[lease.topic, lease.partition] = lease.token
        return True

    def transaction(self, batch: Sequence[Delivery], following: Step) -> None:
        for delivery in batch:
            if self.known.get(place_of(delivery)) != delivery.token:
                raise LeaseLost(*place_of(delivery))
        following(batch)


class Kitchen:
    """Hears kettles by name: "<key>-<number>". `refuses` maps one to what is raised for it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.early: set[str] = set()

    def __call__(self, events: Sequence[KettleSold]) -> None:
        early = [event for event in events if event.kettle in self.early]
        if early:
            raise NotYet(early)
        for event in events:
            if event.kettle in self.refuses:
                raise self.refuses[event.kettle]
        self.heard += [event.kettle for event in events]

    def of(self, key: str) -> list[str]:
        return [kettle for kettle in self.heard if kettle.startswith(key)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> MemoryBroker:
    return MemoryBroker({"shelf": Topic("shelf", partitions=4)}, clock=clock, sleep=clock.advance)


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


@pytest.fixture
def fences() -> Fences:
    return Fences()


@pytest.fixture
def hire(broker: MemoryBroker, clock: Clock, kitchen: Kitchen, fences: Fences) -> Callable[..., OrderedWorker]:
    def hire(**options: object) -> OrderedWorker:
        policy = RetryPolicy(max_attempts=3, first_s=2, factor=2)
        subscription = Subscription("cooks", {KettleSold: kitchen}, 10, policy, 10, mode="ordered", **options)  # type: ignore[arg-type]
        return OrderedWorker(
            subscription, broker, [fences.transaction], authority=fences, clock=clock, sleep=clock.advance,
            rng=random.Random(1), collect_s=0,
        )  # fmt: skip

    return hire


def sell(broker: MemoryBroker, *kettles: str) -> None:
    broker.produce(
        [
            Message(
                new_id(), "shelf", kettle.partition("-")[0], KettleSold.wire, 1, KettleSold(kettle=kettle).encode(), 0
            )
            for kettle in kettles
        ]
    )


def work(clock: Clock, seconds: float, *workers: OrderedWorker) -> None:
    end = clock.now + seconds
    while clock.now < end:
        for worker in workers:
            worker.step(0.1)
        clock.advance(0.01)


def tally(broker: MemoryBroker) -> dict[str, int]:
    rows = broker.stats({"cooks": ["shelf"]})
    return {n: sum(getattr(row, n) for row in rows) for n in ("done", "in_flight", "delayed", "parked", "dead", "lag")}


def holders(broker: MemoryBroker) -> dict[str, int]:
    owners = [seen.owner for seen in broker.leases("cooks", ["shelf"])]
    return {owner: owners.count(owner) for owner in set(owners)}


def test_a_failing_key_waits_and_the_others_go_on(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann-2"] = ValueError("cracked")
    sell(broker, *[f"{key}-{n}" for n in range(1, 5) for key in ("ann", "bob", "cem")])
    worker = hire()

    work(clock, 1, worker)
    sell(broker, "ann-5", "bob-5")
    work(clock, 0.5, worker)

    assert kitchen.of("ann") == ["ann-1"]
    assert kitchen.of("bob") == [f"bob-{n}" for n in range(1, 6)]
    assert tally(broker) == {"done": 10, "in_flight": 0, "delayed": 1, "parked": 3, "dead": 0, "lag": 0}
    kitchen.refuses.clear()
    work(clock, 5, worker)
    assert kitchen.of("ann") == [f"ann-{n}" for n in range(1, 6)]
    assert tally(broker)["done"] == 14


def test_an_early_event_parks_what_follows_it_and_counts_no_attempt(broker, clock, kitchen, hire) -> None:
    kitchen.early.add("ann-2")
    sell(broker, "ann-1", "bob-1", "ann-2", "ann-3", "bob-2")
    worker = hire()

    work(clock, 8, worker)
    assert sorted(kitchen.heard) == ["ann-1", "bob-1", "bob-2"]
    assert (tally(broker)["parked"], tally(broker)["dead"]) == (1, 0)

    kitchen.early.clear()
    work(clock, 3, worker)
    assert kitchen.of("ann") == ["ann-1", "ann-2", "ann-3"]


def test_what_stands_before_an_early_event_and_fails_goes_first(broker, clock, kitchen, hire) -> None:
    kitchen.early.add("ann-2")
    kitchen.refuses["ann-1"] = ValueError("cracked")
    sell(broker, "ann-1", "ann-2", "ann-3")
    worker = hire()
    work(clock, 1, worker)
    assert (tally(broker)["delayed"], tally(broker)["parked"]) == (1, 2)

    kitchen.early.clear()
    kitchen.refuses.clear()
    work(clock, 5, worker)

    assert kitchen.heard == ["ann-1", "ann-2", "ann-3"]


def test_a_dead_head_keeps_its_key_until_it_is_replayed(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann-1"] = ValueError("it leaks")
    sell(broker, "ann-1", "ann-2", "bob-1")
    worker = hire()
    work(clock, 30, worker)
    assert kitchen.heard == ["bob-1"]
    assert (tally(broker)["dead"], tally(broker)["parked"]) == (1, 1)

    kitchen.refuses.clear()
    for topic, partition, group in broker._groups:
        broker.replay(broker.dead_letters(group, topic, partition))
    work(clock, 2, worker)

    assert kitchen.of("ann") == ["ann-1", "ann-2"]


def test_a_dead_head_that_is_purged_lets_its_key_go_on_without_it(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann-1"] = ValueError("it leaks")
    sell(broker, "ann-1", "ann-2", "bob-1", "ann-3")
    worker = hire()
    work(clock, 30, worker)
    assert kitchen.heard == ["bob-1"]

    for topic, partition, group in broker._groups:
        broker.purge(broker.dead_letters(group, topic, partition))
    work(clock, 2, worker)

    assert kitchen.of("ann") == ["ann-2", "ann-3"]


def test_a_dead_head_may_release_its_key(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann-1"] = ValueError("it leaks")
    sell(broker, "ann-1", "ann-2")

    work(clock, 30, hire(parked_on_death=False))

    assert kitchen.heard == ["ann-2"]
    assert tally(broker) == {"done": 1, "in_flight": 0, "delayed": 0, "parked": 0, "dead": 1, "lag": 0}


def test_an_unreadable_message_does_not_overtake_the_failing_one_before_it(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann-1"] = ValueError("cracked")
    sell(broker, "ann-1")
    broker.produce([Message(new_id(), "shelf", "ann", KettleSold.wire, 1, b"not json", 0)])
    sell(broker, "ann-2")
    worker = hire(parked_on_death=False)
    work(clock, 1, worker)
    assert (tally(broker)["parked"], tally(broker)["dead"]) == (2, 0)

    kitchen.refuses.clear()
    work(clock, 5, worker)

    assert kitchen.heard == ["ann-1", "ann-2"]
    assert tally(broker)["dead"] == 1


def test_what_nobody_subscribes_to_is_acknowledged_also_on_a_blocked_key(broker, clock, kitchen, hire) -> None:
    kitchen.refuses["ann"] = ValueError("cracked")
    sell(broker, "ann")
    broker.produce([Message.of(KettleBoiled(kettle="ann"))])

    work(clock, 1, hire())

    assert tally(broker)["done"] == 1


def test_partitions_are_shared_and_only_the_surplus_moves(broker, clock, hire) -> None:
    one = hire()
    work(clock, 2, one)
    assert holders(broker) == {one.consumer: 4}
    tokens = {seen.partition: seen.token for seen in broker.leases("cooks", ["shelf"])}

    two, three = hire(), hire()
    work(clock, 5, one, two, three)

    assert sorted(holders(broker).values()) == [1, 1, 2]
    assert set(holders(broker)) == {one.consumer, two.consumer, three.consumer}
    moved = [seen for seen in broker.leases("cooks", ["shelf"]) if seen.token != tokens[seen.partition]]
    assert len(moved) == 2
    one.stop()
    one.run()
    work(clock, 5, two, three)
    assert holders(broker) == {two.consumer: 2, three.consumer: 2}


def test_fair_shares_add_up_and_differ_by_one_at_most() -> None:
    rng = random.Random(3)
    for _ in range(500):
        held = {f"cook-{n}": rng.randrange(6) for n in range(rng.randint(1, 9))}
        partitions = rng.randrange(30)

        shares = [fair_share(name, held, partitions) for name in held]

        assert sum(shares) == partitions
        assert max(shares) - min(shares) <= 1


def test_a_partition_is_taken_over_a_lease_after_its_holder_went_silent(broker, clock, kitchen, hire) -> None:
    silent, heir = hire(), hire()
    work(clock, 3, silent)
    sell(broker, "ann-1", "ann-2")

    work(clock, 9, heir)
    assert kitchen.heard == []
    work(clock, 4, heir)

    assert kitchen.heard == ["ann-1", "ann-2"]
    assert holders(broker) == {heir.consumer: 4}
    assert silent.consumer not in broker.beats("cooks")
    work(clock, 5, silent, heir)
    assert holders(broker) == {silent.consumer: 2, heir.consumer: 2}


def test_when_the_broker_runs_backwards_a_new_epoch_begins(broker, clock, kitchen, hire, fences) -> None:
    worker = hire()
    work(clock, 2, worker)
    for view in broker._groups.values():
        view.order.owner, view.order.token = "", Token(0, 0)

    sell(broker, "ann-1")
    work(clock, 5, worker)

    assert kitchen.heard == ["ann-1"]
    assert fences.current == 2
    assert {seen.token.epoch for seen in broker.leases("cooks", ["shelf"])} == {2}


def test_when_the_database_came_back_older_its_epoch_catches_up(broker, clock, kitchen, hire, fences) -> None:
    fences.current = 5
    work(clock, 2, hire())
    fences.current, fences.known = 1, {}

    sell(broker, "ann-1")
    work(clock, 30, hire())

    assert kitchen.heard == ["ann-1"]
    assert fences.current >= 5


def test_an_operator_begins_a_new_epoch_and_every_lease_is_given_anew(broker, clock, kitchen, hire, fences) -> None:
    worker = hire()
    work(clock, 2, worker)

    fences.raise_epoch(above=fences.current)
    sell(broker, "ann-1")
    work(clock, 3, worker)

    assert kitchen.heard == ["ann-1"]
    assert {seen.token.epoch for seen in broker.leases("cooks", ["shelf"])} == {2}
