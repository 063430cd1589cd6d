"""From a batch to effects and settlements, with the order of each key kept through failures.

A message that fails or comes too early blocks its key: what follows it, in this batch or later, is parked behind it.
Other keys go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from queueing.broker import Failure
from queueing.crashpoint import crashpoint
from queueing.errors import (
    BrokerUnavailable,
    LeaseLost,
    MalformedMessage,
    NotYet,
    StoreUnavailable,
    UnknownEvent,
)
from queueing.handling import EARLY_CEILING_S, EARLY_FIRST_S, Handling
from queueing.leases import Key, OrderedBroker, key_of
from queueing.message import Delivery

logger = logging.getLogger("queueing.worker")


class OrderedHandling(Handling):
    """unsettled: of the last batch, when an exception ended it. blocked: keys (topic, partition, key) that were
    blocked since the worker last looked; it parks what else it has of them."""

    broker: OrderedBroker

    def __post_init__(self) -> None:
        super().__post_init__()
        self.unsettled: dict[int, Delivery] = {}
        self.blocked: set[Key] = set()

    def handle(self, batch: Sequence[Delivery]) -> None:
        self._events.clear()
        self.unsettled = {id(delivery): delivery for delivery in batch}
        others = [delivery for delivery in batch if not self.concerns_us(delivery)]
        if others:
            self._ack(others)
        ready: list[Delivery] = []
        for delivery in list(self.unsettled.values()):
            failure = self._hopeless(delivery)
            if failure is None:
                ready.append(delivery)
                continue
            # What came before it is done first: if it is of the same key and fails, this one waits behind it.
            self._attempt(ready)
            ready = []
            if self._unblocked([delivery]):
                self._bury(delivery, failure)
        self._attempt(ready)

    def _hopeless(self, delivery: Delivery) -> Failure | None:
        """Why this message need not be tried: it killed its process each time, or can't be read."""
        if self._used_up(delivery):
            return self._ended_its_process(delivery)
        try:
            self._events[delivery.message.id] = delivery.message.event()
        except (UnknownEvent, MalformedMessage) as error:
            return Failure(f"{type(error).__name__}: {error}")
        return None

    def _attempt(self, batch: Sequence[Delivery]) -> None:
        ready = self._unblocked(batch)
        if not ready:
            return
        try:
            self._run(ready)
        except (BrokerUnavailable, StoreUnavailable, LeaseLost):
            raise
        except NotYet as early:
            self._set_aside(ready, early)
        except Exception as error:
            self._isolate(ready, error)
        else:
            crashpoint("consume.committed")
            self._ack(ready)
            crashpoint("consume.acked")

    def _unblocked(self, batch: Sequence[Delivery]) -> list[Delivery]:
        """Those that may be handled; followers of blocked keys are parked."""
        if self.blocked:
            self.park([delivery for delivery in batch if key_of(delivery) in self.blocked])
        return [delivery for delivery in batch if key_of(delivery) not in self.blocked]

    def park(self, followers: Sequence[Delivery]) -> None:
        if followers:
            self.broker.park(self.subscription.group, self.consumer, followers)
            self._settled(followers)

    def _set_aside(self, batch: Sequence[Delivery], early: NotYet) -> None:
        """Those that came early, and what follows them on their keys, wait; the rest runs again now, and first: it may
        hold an event that stands before an early one and fails."""
        named = {id(event) for event in early.events}
        if not any(id(self._events[delivery.message.id]) in named for delivery in batch):
            named = {id(self._events[delivery.message.id]) for delivery in batch}
        waiting: list[Delivery] = []
        rest: list[Delivery] = []
        keys: set[Key] = set()
        for delivery in batch:
            if id(self._events[delivery.message.id]) in named or key_of(delivery) in keys:
                keys.add(key_of(delivery))
                waiting.append(delivery)
            else:
                rest.append(delivery)
        self._attempt(rest)
        for delivery in waiting:
            if self._unblocked([delivery]):
                self._retry(delivery, _look_again_s(delivery), Failure(f"NotYet: {early}"), count=False)

    def _retry(self, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool) -> None:
        group, consumer = self.subscription.group, self.consumer
        if self.broker.retry_in_order(group, consumer, delivery, delay_s, failure, count=count):
            self.blocked.add(key_of(delivery))
        self._settled([delivery])

    def _bury(self, delivery: Delivery, failure: Failure) -> None:
        keep = self.subscription.parked_on_death
        logger.error(
            "%s: %s %s is dead after %d attempt(s): %s; its key %r %s",
            self.subscription.group, delivery.message.name, delivery.message.id, delivery.attempt, failure.reason,
            delivery.message.key, "waits for its replay" if keep else "goes on",
        )  # fmt: skip
        group, consumer = self.subscription.group, self.consumer
        quarantine = delivery.replays >= self.subscription.max_replays
        if self.broker.bury_in_order(group, consumer, delivery, failure, keep_blocked=keep, quarantine=quarantine):
            self.blocked.add(key_of(delivery))
        self._settled([delivery])

    def _ack(self, deliveries: Sequence[Delivery]) -> None:
        self.broker.ack_in_order(self.subscription.group, self.consumer, deliveries)
        self._settled(deliveries)

    def _settled(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.unsettled.pop(id(delivery), None)


def _look_again_s(delivery: Delivery) -> float:
    age_s = time.time() - delivery.first_failed_at_ms / 1000 if delivery.first_failed_at_ms else 0.0
    return min(EARLY_CEILING_S, max(EARLY_FIRST_S, age_s / 4))
