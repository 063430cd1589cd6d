"""The work loop of one consumer: read, handle, settle; and take over from those who died.

new entries ──► handled together, one transaction ──► ack
                  │ raised: halved until the failing message stands alone
                  ▼
retried, or taken over from a dead consumer ──► handled alone ──► ack | retry later | bury
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from queueing.about import Workload
from queueing.broker import BEGINNING, Broker, Where
from queueing.capping import Caps
from queueing.crashpoint import crashpoint
from queueing.errors import BrokerUnavailable, StoreUnavailable
from queueing.handling import Handling
from queueing.heartbeat import Watch
from queueing.lanes import Lanes
from queueing.message import Delivery
from queueing.middleware import Middleware, Step
from queueing.subscription import Subscription

logger = logging.getLogger("queueing.worker")

READ_WAIT_S = 1.0  # also how soon a new partition is noticed
COLLECT_S = 0.1  # while entries trickle in, at most 10 reads a second: never a commit per trickle
TAKE_OVER_AT_ONCE = 100
ALONE_IN_A_ROW = 10  # then new entries have a turn: neither bulk replays nor retries hold them up
LOOK_S = 0.25  # how often a consumer looks whether delayed messages are due, and whether its group was paused
RETRIES_S = 0.2  # and whether retried ones are
BEATS_A_LEASE = 30  # at least: a lease must not end between two beats


def consumer_name(group: str) -> str:
    """A name nobody had before. What an earlier process held is found by its silence, not by its name."""
    return f"{name_prefix(group, os.getpid())}{secrets.token_hex(3)}"


def name_prefix(group: str, pid: int) -> str:
    """How every name begins that a consumer in this process of this machine ever has."""
    return f"{group}-{socket.gethostname()}-{pid}-"


@dataclass(slots=True)
class Worker:
    """One consumer of one group, in the calling thread.

    middlewares: wrapped around the handlers, outermost first; the Django edge brings the inbox and its transaction.
    lookouts: called at every turn, also while there is nothing to do; each decides how often that is too often.
    clock, sleep, rng, new_name: the simulation brings its own.
    """

    subscription: Subscription
    broker: Broker
    middlewares: Sequence[Middleware] = ()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    collect_s: float = COLLECT_S
    rng: random.Random = field(default_factory=random.Random)
    new_name: Callable[[str], str] = consumer_name
    lookouts: Sequence[Callable[[], None]] = ()
    consumer: str = field(init=False)
    stopping: bool = field(default=False, init=False)
    _watch: Watch = field(init=False)
    _caps: Caps = field(init=False)
    _workload: Workload = field(init=False)
    _alone: deque[Delivery] = field(default_factory=deque, init=False)
    _fresh: list[Delivery] = field(default_factory=list, init=False)  # read, and more than one batch
    _held: list[Delivery] = field(default_factory=list, init=False)  # begun, and the database went away
    _handling: Handling = field(init=False)
    _next_watch: float = field(default=0.0, init=False)
    _lanes: Lanes = field(init=False)
    _alone_in_a_row: int = field(default=0, init=False)
    _next_beat: float = field(default=float("-inf"), init=False)
    _next_retries: float = field(default=float("-inf"), init=False)
    _paused: bool = field(default=False, init=False)
    _next_look: float = field(default=float("-inf"), init=False)
    _next_due: float = field(default=float("inf"), init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.subscription.lease_s, self.clock)
        self._caps = Caps(self.subscription, self.broker, self.clock)
        self._workload = Workload(self.clock)
        self._lanes = Lanes(
            self.subscription, self.broker, self._caps, self.clock, self.sleep, self.collect_s, self._fetch,
            self._fetch_one,
        )  # fmt: skip
        if self.subscription.start_position != BEGINNING:
            self.broker.start_at(self.subscription.group, self.subscription.start_position)
        self._new_name()

    def run(self) -> None:
        """Work until `stop()`; then finish the batch at hand and leave."""
        while not self.stopping:
            try:
                self.step(READ_WAIT_S)
            except BrokerUnavailable as error:
                # What we held is in doubt: a read or an ack may have happened without our hearing of it. A new name
                # leaves it behind; whoever sees the old one silent takes it over, and the inbox knows what was done.
                logger.warning("%s: the broker is away (%s); trying again", self.subscription.group, error)
                self._forget()
                self.sleep(READ_WAIT_S)
            except StoreUnavailable as error:
                logger.warning("%s: the database is away (%s); the batch waits", self.subscription.group, error)
                self.sleep(READ_WAIT_S)
        try:
            self._finish()
        except (BrokerUnavailable, StoreUnavailable) as error:
            logger.warning("%s left in a hurry (%s); what it held is taken over", self.consumer, error)

    def _finish(self) -> None:
        """Handle what was read already, and go. Others need not wait a lease for it."""
        while batch := self._held or self._caps.take_all() or self._take_fresh():
            self._handling.handle(batch)
            self._held = []
        self.broker.leave(self.subscription.group, self.consumer, self.subscription.topics)

    def stop(self) -> None:
        self.stopping = True

    def step(self, wait_s: float) -> int:
        """One turn. Returns how many deliveries it settled, tried to, or holds back for a cap."""
        self._beat()
        self._look()
        if not self._paused:
            self._take_over_from_the_dead()
        if not self._held:
            self._held = self._next_batch(wait_s)
        done = len(self._held)
        if self._held:
            self._handling.handle(self._held)
        self._held = []
        self._workload.handled += done
        return done or len(self._caps.waiting)

    def _next_batch(self, wait_s: float) -> list[Delivery]:
        """What may be handled now. While a batch waits for its cap, what other topics have is read."""
        # A read waits no longer than until the next delayed message is due.
        wait_s = min(wait_s, max(0.001, self._next_due - self.clock()))
        while True:
            if ready := self._caps.take_ready():
                return ready
            if self._caps.waiting:
                wait_s = min(READ_WAIT_S, self._caps.ready_in_s)
            read = self._next(wait_s)
            if batch := self._caps.pay(read, self._handling.concerns_us):
                return batch
            if not read:
                return self._caps.take_ready()

    def _next(self, wait_s: float) -> list[Delivery]:
        """What is handled alone comes first; after ten of it in a row, what is new has a turn."""
        if self._alone_in_a_row < ALONE_IN_A_ROW and (alone := self._next_alone()):
            self._alone_in_a_row += 1
            return alone
        none_is_left, self._alone_in_a_row = self._alone_in_a_row < ALONE_IN_A_ROW, 0
        if none_is_left:
            return self._next_together(wait_s)
        return self._next_together(0) or self._next_alone() or self._next_together(wait_s)

    def _next_together(self, wait_s: float) -> list[Delivery]:
        return self._read(wait_s)

    def _look(self) -> None:
        """Append delayed messages that are due, and see whether the group was paused, or its caps were changed."""
        for lookout in self.lookouts:
            lookout()
        self._caps.look()
        now = self.clock()
        if now < min(self._next_look, self._next_due):
            return
        self._paused = self.broker.is_paused(self.subscription.group)
        due_in_s = self.broker.promote(self.subscription.topics)
        self._next_look = now + LOOK_S
        self._next_due = float("inf") if due_in_s is None else now + due_in_s

    def _next_alone(self) -> list[Delivery]:
        """A delivery that is handled by itself, its attempt written down."""
        group = self.subscription.group
        if not self._alone and not self._paused and self.clock() >= self._next_retries:
            due = self.broker.read_due(group, self.consumer, self._caps.open_topics(), TAKE_OVER_AT_ONCE)
            self._alone.extend(due)
            self._next_retries = self.clock() + (0.0 if due else RETRIES_S)
        return self._pop_alone()

    def _pop_alone(self) -> list[Delivery]:
        """The first whose topic is not held back by a cap."""
        may_come = set(self._caps.open_topics()) if self._alone else ()
        for _ in range(len(self._alone)):
            delivery = next((d for d in self._alone if d.message.topic in may_come), None)
            if delivery is None:
                return []
            self._alone.remove(delivery)
            if self.broker.begin_attempt(self.subscription.group, self.consumer, delivery):
                return [delivery]
        return []

    def _read(self, wait_s: float) -> list[Delivery]:
        if (fresh := self._take_fresh()) or not self._caps.ready_in_s:
            return fresh
        if self._paused or not self._caps.open_topics():
            self.sleep(min(wait_s, LOOK_S))
            return []
        if self._lanes.read(wait_s):
            crashpoint("consume.read")
        return self._take_fresh()

    def _fetch(self, topics: Sequence[str], limit: int, wait_s: float, without: Collection[Where]) -> int:
        """Read into `_fresh`. Returns how many came."""
        read = self.broker.read(self.subscription.group, self.consumer, topics, limit, wait_s, without)
        self._fresh += read
        return len(read)

    def _fetch_one(self, where: Where, limit: int) -> list[Delivery]:
        """The same of one partition. Returns what came."""
        read = self.broker.read_one(self.subscription.group, self.consumer, where, limit)
        self._fresh += read
        return read

    def _take_fresh(self) -> list[Delivery]:
        batch, self._fresh = self._caps.take(self._fresh) if self._fresh else ([], [])
        return batch

    def _beat(self) -> None:
        """Not at every turn: a beat is a write that waits for the disk, as costly as an acknowledgement."""
        now = self.clock()
        if now >= self._next_beat:
            self.broker.beat(self.subscription.group, self.consumer, self._workload.about())
            self._next_beat = now + min(0.5, self.subscription.lease_s / BEATS_A_LEASE)

    def _take_over_from_the_dead(self) -> None:
        now = self.clock()
        if now < self._next_watch:
            return
        self._next_watch = now + self.subscription.lease_s / 5
        group = self.subscription.group
        for dead in self._watch.observe(self.broker.beats(group)):
            if dead == self.consumer:
                continue
            taken = self.broker.take_over(group, dead, self.consumer, self.subscription.topics, TAKE_OVER_AT_ONCE)
            if taken:
                logger.warning("%s took over %d message(s) from %s, which went silent", group, len(taken), dead)
            self._alone.extend(taken)

    def _forget(self) -> None:
        self._alone.clear()
        self._fresh, self._held = [], []
        self._caps.take_all()
        self._new_name()

    def _new_name(self) -> None:
        self.consumer = self.new_name(self.subscription.group)
        self._next_beat = float("-inf")  # nobody knows this name yet
        self._handling = self._new_handling()

    def _new_handling(self) -> Handling:
        return Handling(self.subscription, self.broker, self.consumer, self._around(), self.rng)

    def _around(self) -> Sequence[Middleware]:
        """A beat before each transaction: a batch that falls to pieces takes many deadlines, and one lease has room for
        a single one."""

        def beat(batch: Sequence[Delivery], following: Step) -> None:
            self._beat()
            following(batch)

        return (beat, *self.middlewares)
