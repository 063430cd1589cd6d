"""The work loop of one consumer in ordered mode.

leases it should have ──► takes them; gives back what is too much
  │
what earlier holders left behind, one at a time; heads that are due, with their followers; new entries
  │
handled in the order of the log, by its token ──► ack | retry or bury, and park what follows on the key
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from queueing.errors import LeaseLost
from queueing.holdings import Holdings
from queueing.leases import Authority, Key, Lease, OrderedBroker, Where, key_of, place_of
from queueing.message import Delivery
from queueing.ordered_handling import OrderedHandling
from queueing.worker import RETRIES_S, TAKE_OVER_AT_ONCE, Worker, logger


class OrderedWorker(Worker):
    """One consumer of one group in ordered mode, in the calling thread; see Worker for the rest.

    authority: the database that the handlers write to. Its fence must stand in the handlers' transaction: at the
        Django edge that is `inbox(group, fence=...)`.
    """

    broker: OrderedBroker
    _handling: OrderedHandling

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        self._authority = authority
        super().__init__(*args, **kwargs)

    def __post_init__(self) -> None:
        self._holdings = Holdings(self.subscription, self.broker, self._authority, self.clock)
        self._heads_first = False
        super().__post_init__()
        self._lanes.ours = self._may_read

    def _new_name(self) -> None:
        super()._new_name()
        self._holdings.rename(self.consumer)

    def _new_handling(self) -> OrderedHandling:
        return OrderedHandling(self.subscription, self.broker, self.consumer, self._around(), self.rng)

    def step(self, wait_s: float) -> int:
        try:
            self._beat()
            self._look()
            self._drop(self._holdings.look(self._in_hand()))
            if not self._held:
                self._park_followers()
                self._holdings.give_back(self._in_hand())
                self._held = self._next_batch(wait_s)
            done = len(self._held)
            self._handle_held()
            self._workload.handled += done
            return done or len(self._caps.waiting)
        except LeaseLost as lost:
            logger.warning("%s: %s", self.consumer, lost)
            self._drop([lost.where])
            return 1

    def _next_together(self, wait_s: float) -> list[Delivery]:
        """Heads and new entries by turns, so that neither starves."""
        self._heads_first = not self._heads_first
        if self._heads_first:
            return self._read_heads() or self._read(wait_s)
        return self._read(0) or self._read_heads() or self._read(wait_s)

    def _next_alone(self) -> list[Delivery]:
        while True:
            if alone := self._pop_alone():
                return alone
            # What _alone still holds waits for its cap.
            if self._alone or self._paused or not self._holdings.left_behind:
                return []
            for where in sorted(self._holdings.left_behind):
                lease = self._holdings.leases[where]
                found = self.broker.read_left_behind(self.subscription.group, self.consumer, lease, TAKE_OVER_AT_ONCE)
                self._alone.extend(found.deliveries)
                self._park_followers(found.blocked)
                if not found.deliveries:
                    self._holdings.left_behind.discard(where)

    def _read_heads(self) -> list[Delivery]:
        if self._paused or self.clock() < self._next_retries:
            return []
        due: list[Delivery] = []
        for limit, topics in self._caps.shares():
            if not due:
                leases = self._readable(topics)
                due = self.broker.read_due_in_order(self.subscription.group, self.consumer, leases, limit)
        self._next_retries = self.clock() + (0.0 if due else RETRIES_S)
        return due

    def _readable(self, topics: Collection[str]) -> list[Lease]:
        """What earlier holders of a partition left behind comes before all else of it."""
        left = self._holdings.left_behind | {place_of(delivery) for delivery in self._alone}
        return [lease for lease in self._holdings.readable() if lease.topic in topics and lease[:2] not in left]

    def _may_read(self, where: Where) -> bool:
        return any(lease[:2] == where for lease in self._readable(where[:1]))

    def _fetch(self, topics: Sequence[str], limit: int, wait_s: float, without: Collection[Where]) -> int:
        leases = [lease for lease in self._readable(topics) if lease[:2] not in without]
        if not leases:
            if wait_s:
                self.sleep(wait_s)
            return 0
        return len(self._read_leased(leases, limit, wait_s))

    def _fetch_one(self, where: Where, limit: int) -> list[Delivery]:
        return self._read_leased([lease for lease in self._readable(where[:1]) if lease[:2] == where], limit, 0)

    def _read_leased(self, leases: Sequence[Lease], limit: int, wait_s: float) -> list[Delivery]:
        """Returns all that came, followers of blocked keys included, which are parked."""
        found = self.broker.read_in_order(self.subscription.group, self.consumer, leases, limit, wait_s)
        self._fresh += found.deliveries
        self._drop(found.lost)
        self._park_followers(found.blocked)
        return list(found.deliveries)

    def _handle_held(self) -> None:
        if self._held:
            try:
                self._handling.handle(self._held)
            finally:
                self._held = list(self._handling.unsettled.values())

    def _park_followers(self, more: Collection[Key] = ()) -> None:
        """Of keys that were blocked by the last batch, or are known to be, what else we have read."""
        blocked = self._handling.blocked
        blocked.update(more)
        if blocked:
            self._handling.park([d for d in (*self._alone, *self._fresh) if key_of(d) in blocked])
            self._keep(lambda d: key_of(d) not in blocked)
            blocked.clear()

    def _drop(self, lost: Collection[Where]) -> None:
        """What we have read of a lost partition is its next holder's."""
        for where in lost:
            self._holdings.drop(where)
        if lost:
            self._keep(lambda d: place_of(d) not in lost)

    def _keep(self, wanted: Callable[[Delivery], bool]) -> None:
        self._alone = deque(filter(wanted, self._alone))
        self._fresh = list(filter(wanted, self._fresh))
        self._held = list(filter(wanted, self._held))
        self._caps.keep(wanted)

    def _in_hand(self) -> set[Where]:
        return {place_of(delivery) for delivery in (*self._held, *self._caps.waiting, *self._alone, *self._fresh)}

    def _finish(self) -> None:
        """Handle what was read already, give everything back, and go. Nobody need wait a lease for it."""
        while self._held or self._caps.waiting or self._alone or self._fresh:
            try:
                self._park_followers()
                self._held = self._held or self._caps.take_all() or self._pop_alone() or self._take_fresh()
                self._handle_held()
            except LeaseLost as lost:
                self._drop([lost.where])
        self._holdings.leaving = set(self._holdings.leases)
        self._holdings.give_back(())
        self.broker.leave(self.subscription.group, self.consumer, self.subscription.topics)
