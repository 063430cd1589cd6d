"""The shipped ordered worker under the seeded scheduler of simulation.py: leases are lost, consumers come and go, and
the broker forgets who held what or remembers an older holder.

When everything has come to rest, whatever failed is mended and the dead letters are replayed; then all must be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from greenlet import greenlet

from queueing.brokers.memory import MemoryBroker
from queueing.errors import LeaseLost, StoreUnavailable
from queueing.lanes import FAR_BATCHES
from queueing.leases import Lease, Token, Where, place_of
from queueing.message import Delivery
from queueing.middleware import Middleware, Step
from queueing.middleware.deadline import deadline
from queueing.ordered import OrderedWorker
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.tests.simulation import LEASE_S, Brewed, Died, World, _Faulty


@dataclass(slots=True)
class Fences:
    """The database's side of the leases, and what it saw: commits in their order."""

    world: World
    current: int = 1
    tokens: dict[Where, tuple[int, int]] = field(default_factory=dict)
    commits: list[tuple[Where, tuple[int, int], int, list[Brewed]]] = field(default_factory=list)

    def epoch(self) -> int:
        self._reach()
        return self.current

    def raise_epoch(self, above: int) -> None:
        self._reach()
        self.current = max(self.current, above + 1)

    def admit(self, lease: Lease) -> bool:
        self._reach()
        where = (lease.topic, lease.partition)
        if self.tokens.get(where, (0, 0)) >= lease.token:
            return False
        self.tokens[where] = lease.token
        self.world.point()
        return True

    def check(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            if self.tokens.get(place_of(delivery)) != delivery.token:
                raise LeaseLost(*place_of(delivery))

    def _reach(self) -> None:
        self.world.point()
        if self.world.store.away:
            raise StoreUnavailable("restarting")


@dataclass(slots=True)
class OrderedWorld(World):
    """unfenced: the database compares no tokens; the checks must notice."""

    messages: int = 60
    produce_chance: float = 0.05
    delay_chance: float = 0.0  # the order that holds is that of the log; numbers would not tell it
    away_ends: float = 0.3
    unfenced: bool = False
    keep_blocked: bool = True
    mended: bool = False
    fences: Fences = field(init=False)
    forgotten: int = 0
    _broker: MemoryBroker | None = None
    _earlier: dict[Any, tuple[str, Token]] = field(default_factory=dict)
    _events: list[Brewed] = field(default_factory=list)
    _processes: int = 0

    def __post_init__(self) -> None:
        World.__post_init__(self)
        self.fences = Fences(self)
        self.workers = self.rng.randint(1, 4)
        self.keep_blocked = self.rng.random() < 0.7

    def point(self) -> None:
        if self.chaos and self._broker and self.rng.random() < 0.0005:
            self._forget_leases(self._broker)
        World.point(self)

    def _forget_leases(self, broker: MemoryBroker) -> None:
        """The broker comes back as it was some time ago, or empty, as far as leases go."""
        self.forgotten += 1
        now = {place: (view.order.owner, view.order.token) for place, view in broker._groups.items()}
        for place, view in broker._groups.items():
            view.order.owner, view.order.token = self._earlier.get(place, ("", Token(0, 0)))
        self._earlier = now

    def _at_rest(self, broker: MemoryBroker) -> bool:
        if self._busy(broker):
            return False
        rows = broker.stats({"baristas": ["bar"]})
        if any(row.lag or row.in_flight or row.delayed for row in rows):
            return False
        if self.mended:
            return not any(row.parked for row in rows)
        self.mended = True
        self.broken = self.poison = self.hanging = frozenset()
        for topic, partition, group in broker._groups:
            for buried in broker.dead_letters(group, topic, partition):
                self.ever_dead.add(buried.letter.delivery(1).message.event().number)  # type: ignore[attr-defined]
                assert broker.replay([buried]) == 1
        return False

    def _process(self, broker: MemoryBroker) -> greenlet:
        self._broker = broker
        self._processes += 1
        number = self._processes

        def life() -> None:
            policy = RetryPolicy(max_attempts=4, first_s=0.5, factor=2)
            subscription = Subscription(
                "baristas", {Brewed: self._brew}, 10, policy, LEASE_S,
                mode="ordered", parked_on_death=self.keep_blocked,
            )  # fmt: skip
            reachable: Any = _Faulty(broker, self)

            def sleep(seconds: float) -> None:
                if self.chaos and self.rng.random() < 0.01:
                    worker.stop()  # scaled in; another is started later
                self.sleep(seconds)

            worker = OrderedWorker(
                subscription,
                reachable,
                [
                    deadline("baristas", subscription.handler_deadline_s, alarm=self),
                    self._fenced_transaction(number),
                ],
                authority=self.fences,
                clock=self.clock,
                sleep=sleep,
                rng=self.rng,
                new_name=lambda group: f"{group}-{next(self._names)}",
            )
            worker._lanes.far_batches = self.rng.choice([0, FAR_BATCHES])
            try:
                worker.run()
            except Died:
                return

        return greenlet(life, parent=self._scheduler)

    def _brew(self, events: Sequence[Brewed]) -> None:
        World._brew(self, events)
        self._events += events

    def _fenced_transaction(self, process: int) -> Middleware:
        def once(batch: Sequence[Delivery], following: Step) -> None:
            self.point()
            if self.chaos and self.rng.random() < 0.05:
                self.sleep(LEASE_S * 5)  # frozen at the worst moment: with a batch in hand, before it commits
            if self.store.away:
                raise StoreUnavailable("restarting")
            if not self.unfenced:
                self.fences.check(batch)
            new = {d.message.id: d for d in reversed(batch) if d.message.id not in self.store.inbox}
            self._open, self._events = [], []
            if new:
                following([d for d in batch if new.get(d.message.id) is d])
            self.store.inbox |= new.keys()
            self.store.effects.update(self._open)
            places = {d.message.event(): place_of(d) for d in batch}
            for delivery in {place_of(d): d for d in batch}.values():
                mine = [event for event in self._events if places[event] == place_of(delivery)]
                assert delivery.token is not None
                self.fences.commits.append((place_of(delivery), delivery.token, process, mine))
            self.point()

        return once

    # What must be true

    def problems(self) -> list[str]:
        found = []
        numbers = [event.number for *_, events in self.fences.commits for event in events]
        missing, doubled = set(range(self.messages)) - set(numbers), len(numbers) - len(set(numbers))
        if missing - self.purged or doubled or max(numbers) >= self.messages:
            found.append(f"lost {sorted(missing)}, doubled {doubled}")
        last: dict[Where, tuple[tuple[int, int], int]] = {}
        for where, token, process, _ in self.fences.commits:
            before, holder = last.get(where, ((0, 0), process))
            if token < before or (token == before and process != holder):
                found.append(f"{where}: process {process} committed by {token} after {holder} by {before}")
            last[where] = (token, process)
        for cup in map(str, range(7)):
            told = [e.number for *_, events in self.fences.commits for e in events if e.cup == cup]
            if not self.keep_blocked:  # what was buried came again after those it let pass
                told = [number for number in told if number not in self.ever_dead]
            # A copy of a purged one, which a relay that died had left in the log, is met as if it were new.
            told = [number for number in told if number not in self.purged]
            if told != sorted(told):
                found.append(f"cup {cup} out of order: {told}")
        return found
