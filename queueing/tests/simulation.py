"""The shipped worker under a seeded scheduler: every broker call is a point where anything may happen.

Workers are greenlets. At each point the scheduler, drawing from one seed, lets somebody else go first, lets time pass,
kills the process, loses a request, or loses a reply. Only broker, clock, store and scheduler are replaced; the work
loop, the halving, the settlement and the take-over are the ones that run in production. One seed is one history.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from greenlet import getcurrent, greenlet
from msgspec.structs import replace

from queueing.broker import Broker
from queueing.brokers.memory import MemoryBroker
from queueing.dead import Buried
from queueing.errors import BrokerUnavailable, NotYet, StoreUnavailable
from queueing.event import Event
from queueing.lanes import FAR_BATCHES
from queueing.layout import splits
from queueing.message import Delivery, Message
from queueing.middleware import Middleware, Step
from queueing.middleware.deadline import deadline
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.topic import Topic
from queueing.worker import Worker

LEASE_S = 5.0


class Died(BaseException):
    """SIGKILL: nothing of this process runs after it. (A BaseException, as no handler may catch it.)"""


class Brewed(Event):
    wire = "simulation.Brewed"
    topic = "bar"
    key_field = "cup"

    cup: str
    number: int


@dataclass(slots=True)
class Store:
    """A database: effects and inbox commit together. `fenced` sessions have been ended by the server."""

    effects: Counter[int] = field(default_factory=Counter)
    inbox: set[str] = field(default_factory=set)
    away: bool = False


@dataclass(slots=True)
class World:
    """One history. Probabilities are per point; `chaos` ends half-way, and then everything must come to rest."""

    seed: int
    messages: int = 40
    workers: int = 3
    rng: random.Random = field(init=False)
    now: float = 0.0
    chaos: bool = True
    sabotage: bool = False  # the store keeps no inbox: the checks below must notice
    produce_chance: float = 0.3  # per turn
    delay_chance: float = 0.2  # of a message
    grow_chance: float = 0.01  # per turn
    away_begins: float = 0.02
    away_ends: float = 0.02
    store: Store = field(default_factory=Store)
    deaths: int = 0
    trimmed: int = 0
    grown: int = 0  # splits so far; a growth may stand half done for as long as it likes
    replayed: int = 0
    ever_dead: set[int] = field(default_factory=set)
    purged: set[int] = field(default_factory=set)
    _seen_dead: list[Buried] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=count)
    poison: frozenset[int] = frozenset()  # kills its process each time
    broken: frozenset[int] = frozenset()  # raises each time
    hanging: frozenset[int] = frozenset()  # never comes back, so that its deadline ends its process
    overdue: int = 0
    _alarms: dict[greenlet, float] = field(default_factory=dict)
    _scheduler: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        numbers = range(self.messages)
        self.poison = frozenset(self.rng.sample(numbers, self.rng.choice([0, 0, 1])))
        self.hanging = frozenset(self.rng.sample(numbers, self.rng.choice([0, 0, 1]))) - self.poison
        self.broken = frozenset(self.rng.sample(numbers, self.rng.choice([0, 1, 3]))) - self.poison - self.hanging

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Come back when that much time has passed, as the others see it."""
        wake_at = self.now + max(seconds, 0.001)
        self._scheduler.switch(wake_at)

    def point(self) -> None:
        """Anything may happen here."""
        if self.chaos and self.rng.random() < 0.01:
            raise Died
        if self.rng.random() < 0.5:
            pause = self.rng.choice([0.0, 0.0, 0.01, 0.3, LEASE_S * 2.2 if self.chaos else 0.01])
            self._scheduler.switch(self.now + pause)
            # Frozen past its deadline: when it thaws, the watchdog and the handler both run, and either may be first.
            if self._alarms.get(getcurrent(), self.now) < self.now and self.rng.random() < 0.5:
                self._end_overdue()

    def hang(self) -> None:
        """For ever, if nobody ends the process."""
        self._scheduler.switch(self._alarms[getcurrent()])
        self._end_overdue()

    def _end_overdue(self) -> None:
        self.overdue += 1
        raise Died

    def set(self, seconds: float) -> None:
        """The alarm of the deadline, on the simulated clock."""
        self._alarms[getcurrent()] = self.now + seconds

    def cancel(self) -> None:
        del self._alarms[getcurrent()]

    def run(self) -> MemoryBroker:
        broker = MemoryBroker(
            {"bar": Topic("bar", partitions=3, retention_messages=4)}, clock=self.clock, sleep=self.sleep
        )
        self._scheduler = getcurrent()
        sleeping: list[tuple[float, int, greenlet]] = []
        order = 0
        for _ in range(self.workers):
            order += 1
            sleeping.append((0.0, order, self._process(broker)))
        produced = 0
        while self.now < 4000:
            if produced < self.messages and self.rng.random() < self.produce_chance:
                due_ms = (
                    int((self.now + self.rng.uniform(0, 20)) * 1000) if self.rng.random() < self.delay_chance else 0
                )
                message = Message.of(Brewed(cup=str(produced % 7), number=produced), deliver_at_ms=due_ms)
                broker.produce([replace(message, id=f"message-{produced:04}")])
                if self.chaos and self.rng.random() < 0.2:  # a relay that died before it deleted its row
                    broker.produce([replace(message, id=f"message-{produced:04}")])
                produced += 1
            if self.rng.random() < self.grow_chance:
                self._grow(broker)
            if self.rng.random() < 0.1:
                self.trimmed += broker.trim("bar", ["baristas"])
            if self.chaos and self.rng.random() < 0.05:
                self._operate(broker)
            self.chaos = self.now < 200 or produced < self.messages
            turns = self.rng.random() < (self.away_ends if self.store.away else self.away_begins)
            self.store.away = self.chaos and self.store.away ^ turns
            if not self.chaos and self._at_rest(broker):
                return broker
            sleeping.sort(key=lambda entry: entry[:2])
            due = [entry for entry in sleeping if entry[0] <= self.now] or sleeping[:1]
            entry = self.rng.choice(due)
            sleeping.remove(entry)
            self.now = max(self.now, entry[0])
            order += 1
            wake_at = entry[2].switch()
            if entry[2].dead:
                self.deaths += 1
                sleeping.append((self.now + 0.5, order, self._process(broker)))  # the supervisor starts another
            else:
                sleeping.append((wake_at, order, entry[2]))
        raise AssertionError(f"seed {self.seed}: not at rest after {self.now:.0f} simulated seconds")

    def _operate(self, broker: MemoryBroker) -> None:
        """An operator looks at the dead letters, does something else, and then replays one of them or purges it."""
        seen, self._seen_dead = self._seen_dead, [
            buried
            for topic, partition, group in list(broker._groups)
            for buried in broker.dead_letters(group, topic, partition, limit=1)
        ]  # fmt: skip
        if not seen:
            return
        chosen = self.rng.choice(seen)
        number: int = chosen.letter.delivery(1).message.event().number  # type: ignore[attr-defined]
        self.ever_dead.add(number)
        if self.rng.random() < 0.2:
            if broker.purge([chosen]):
                self.purged.add(number)
        else:
            self.replayed += broker.replay([chosen])

    def _grow(self, broker: MemoryBroker) -> None:
        """One partition splits. The topic has three at first, and twelve at most."""
        steps = list(splits(3, 12))
        if self.grown < len(steps):
            broker._split("bar", steps[self.grown])
            self.grown += 1

    @staticmethod
    def _busy(broker: MemoryBroker) -> bool:
        """Is anything in hand or waiting? Asked at every step, so not by counting everything."""
        return any(view.pending or view.working or view.delayed for view in broker._groups.values())

    def _at_rest(self, broker: MemoryBroker) -> bool:
        if self._busy(broker):
            return False
        [*rows] = broker.stats({"baristas": ["bar"]})
        return all(row.lag == row.in_flight == row.delayed == row.later == 0 for row in rows)

    def _process(self, broker: MemoryBroker) -> greenlet:
        def life() -> None:
            policy = RetryPolicy(max_attempts=4, first_s=0.5, factor=2)
            subscription = Subscription("baristas", {Brewed: self._brew}, 10, policy, LEASE_S)
            reachable: Any = _Faulty(broker, self)
            try:
                worker = Worker(
                    subscription,
                    reachable,
                    [deadline("baristas", subscription.handler_deadline_s, alarm=self), self._transaction()],
                    clock=self.clock,
                    sleep=self.sleep,
                    rng=self.rng,
                    new_name=lambda group: f"{group}-{next(self._names)}",
                )
                worker._lanes.far_batches = self.rng.choice([0, FAR_BATCHES])  # 0: whatever waits is a backlog
                worker.run()
            except Died:
                return

        return greenlet(life, parent=self._scheduler)

    def _brew(self, events: Sequence[Brewed]) -> None:
        early = [
            e for e in events if e.number % 11 == 10 and e.number - 1 not in self._seen and self.rng.random() < 0.5
        ]
        if early and self.chaos:
            raise NotYet(early)
        for event in events:
            if event.number in self.poison:
                raise Died
            if event.number in self.hanging:
                self.hang()
            if event.number in self.broken:
                raise ValueError("the machine is out of milk")
            self._open.append(event.number)

    @property
    def _seen(self) -> Counter[int]:
        return self.store.effects

    _open: list[int] = field(default_factory=list)

    def _transaction(self) -> Middleware:
        def once(batch: Sequence[Delivery], following: Step) -> None:
            self.point()
            if self.store.away:
                raise StoreUnavailable("restarting")
            # As PostgreSQL does by row locks and session time-outs: what is checked here still holds at the commit,
            # or the commit fails. So check, effect and commit are one step, and the points lie around it.
            new, ids = [], set()
            for delivery in batch:
                if delivery.message.id not in self.store.inbox | ids:
                    ids.add(delivery.message.id)
                    new.append(delivery)
            self._open = []
            if new:
                following(new)
            if not self.sabotage:
                self.store.inbox |= ids
            self.store.effects.update(self._open)
            self.point()

        return once


class _Faulty:
    """A broker reached over a bad line: a call may be lost before it arrives, or its reply after it took effect."""

    def __init__(self, broker: Broker, world: World) -> None:
        self._broker, self._world, self.topics = broker, world, broker.topics

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._broker, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            world = self._world
            world.point()
            if world.chaos and world.rng.random() < 0.01:
                raise BrokerUnavailable("the request was lost")
            result = method(*args, **kwargs)
            if world.chaos and world.rng.random() < 0.01:
                raise BrokerUnavailable("the reply was lost")
            world.point()
            return result

        return call
