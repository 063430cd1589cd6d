"""What one consumer of an ordered group holds, and how it keeps to its fair share as others come and go.

Nobody is stopped for a rebalance: whoever has too much finishes what it read of a partition and gives it back; whoever
has too little takes what is free, and what the dead held. Only the partition that moves pauses.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from queueing.errors import LeaseLost
from queueing.heartbeat import Watch
from queueing.leases import Authority, Lease, LeaseSeen, OrderedBroker, Where, fair_share
from queueing.subscription import Subscription

logger = logging.getLogger("queueing.worker")


@dataclass(slots=True)
class Holdings:
    """former: names this process had before. Whatever they still say is refused, so they need no lease to be dead."""

    subscription: Subscription
    broker: OrderedBroker
    authority: Authority
    clock: Callable[[], float]
    consumer: str = ""
    former: set[str] = field(default_factory=set)
    leases: dict[Where, Lease] = field(default_factory=dict)
    left_behind: set[Where] = field(default_factory=set)  # earlier holders may have read and not settled
    leaving: set[Where] = field(default_factory=set)  # read no more; given back when nothing of it is in hand
    _next_look: float = float("-inf")
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.subscription.lease_s, self.clock)

    def rename(self, consumer: str) -> None:
        """After losing the broker: what was ours is the old name's, and taken back at the next look."""
        if self.consumer:
            self.former.add(self.consumer)
        self.consumer = consumer
        self.leases, self.left_behind, self.leaving = {}, set(), set()
        self._next_look = float("-inf")

    def drop(self, where: Where) -> None:
        self.leases.pop(where, None)
        self.left_behind.discard(where)
        self.leaving.discard(where)

    def readable(self) -> list[Lease]:
        return [lease for where, lease in self.leases.items() if where not in self.leaving]

    def look(self, in_hand: Collection[Where]) -> list[Where]:
        """Once in a while: see who holds what, and move towards the fair share. Returns what turned out to be lost."""
        now = self.clock()
        if now < self._next_look:
            return []
        self._next_look = now + min(1.0, self.subscription.lease_s / 5)
        epoch = self.authority.epoch()
        group = self.subscription.group
        beats = self.broker.beats(group)
        seen = self.broker.leases(group, self.subscription.topics)
        held = {(s.topic, s.partition): s for s in seen}
        lost = [
            where
            for where, lease in self.leases.items()
            if where not in held
            or (held[where].owner, held[where].token) != (self.consumer, lease.token)
            or lease.token.epoch != epoch
        ]
        for where in lost:
            logger.warning("%s: %s", self.consumer, LeaseLost(*where))
            self.drop(where)
        owners = {s.owner for s in seen if s.owner}
        silent = self._watch.observe({**dict.fromkeys(sorted(owners), ""), **beats})
        dead = (set(silent) | self.former) - {self.consumer}
        alive = {name for name, beat in beats.items() if beat} - dead | {self.consumer}
        counts = Counter(s.owner for s in seen if s.token.epoch == epoch)
        counts[self.consumer] = len(self.leases)
        share = fair_share(self.consumer, {name: counts[name] for name in alive}, len(seen))
        self._give_what_is_too_much(share, in_hand)
        self._take_what_is_free(share, seen, dead, epoch)
        self._forget(dead & beats.keys() - owners)
        return lost

    def give_back(self, in_hand: Collection[Where]) -> None:
        """Partitions that are to move, as soon as nothing of them is in hand."""
        for where in self.leaving.difference(in_hand):
            lease = self.leases[where]
            self.drop(where)
            self.broker.give_lease(self.subscription.group, self.consumer, lease)

    def _give_what_is_too_much(self, share: int, in_hand: Collection[Where]) -> None:
        surplus = len(self.leases) - share
        idle_first = sorted(self.leases, key=lambda where: (where not in self.leaving, where in in_hand))
        self.leaving = set(idle_first[:surplus]) if surplus > 0 else set()
        self.give_back(in_hand)

    def _take_what_is_free(self, share: int, seen: list[LeaseSeen], dead: set[str], epoch: int) -> None:
        for it in seen:
            where = (it.topic, it.partition)
            if it.token.epoch > epoch:  # the database came back older than it was
                self.authority.raise_epoch(it.token.epoch - 1)
                return
            if where in self.leases:
                continue
            if len(self.leases) >= share:
                if it.owner == self.consumer:  # taken, and the database went away before it was admitted
                    self.broker.give_lease(self.subscription.group, self.consumer, Lease(*where, it.token))
                continue
            if it.owner not in dead | {"", self.consumer} and it.token.epoch == epoch:
                continue
            lease = self.broker.take_lease(self.subscription.group, self.consumer, it, epoch)
            if lease is None:
                continue  # somebody else was faster
            if not self.authority.admit(lease):
                logger.error(
                    "%s: the lease of %s/%s has the token %s, and a higher one was admitted before: the broker ran "
                    "backwards; a new epoch begins", self.subscription.group, *where, tuple(lease.token),
                )  # fmt: skip
                self.authority.raise_epoch(epoch)
                self._next_look = float("-inf")
                return
            if it.owner in dead:
                logger.warning("%s took %s/%s over from %s, which went silent", self.consumer, *where, it.owner)
            self.leases[where] = lease
            self.left_behind.add(where)

    def _forget(self, dead: set[str]) -> None:
        """Strike the dead off the list, unless entries they read are still to be taken from them."""
        for name in sorted(dead):
            self.broker.leave(self.subscription.group, name, self.subscription.topics)
