"""From a batch of deliveries to effects and a settlement for each of them."""

from __future__ import annotations

import logging
import random
import time
import traceback
from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing import tracing
from queueing.batches import calls_of
from queueing.broker import Broker, Failure
from queueing.crashpoint import crashpoint
from queueing.errors import BrokerUnavailable, HandlerExited, MalformedMessage, NotYet, StoreUnavailable, UnknownEvent
from queueing.event import Event
from queueing.message import Delivery
from queueing.middleware import Middleware, Step, compose
from queueing.saying import facts, said_of
from queueing.subscription import Subscription

logger = logging.getLogger("queueing.worker")

# An event that came before its predecessor looks again this soon; later, after a quarter of its age so far.
EARLY_FIRST_S, EARLY_CEILING_S = 0.5, 30.0


@dataclass(slots=True)
class Handling:
    """What one consumer does with what it read.

    A delivery ends in exactly one of: acknowledged, in the group's retry set, among its dead letters; or, when the
    broker or the database is away, still ours and untouched.
    """

    subscription: Subscription
    broker: Broker
    consumer: str
    middlewares: Sequence[Middleware] = ()
    rng: random.Random = field(default_factory=random.Random)
    _run: Step = field(init=False)
    _names: frozenset[str] = field(init=False)
    _events: dict[str, Event] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._names = frozenset(event.wire for event in self.subscription.handlers)
        self._run = compose(self.middlewares, self._call_handlers)

    def handle(self, batch: Sequence[Delivery]) -> None:
        """Settle each of these: new entries in one transaction if nothing fails, or one delivery that is `alone`."""
        self._events.clear()
        ours: list[Delivery] = []
        others: list[Delivery] = []
        for delivery in batch:
            (ours if self.concerns_us(delivery) else others).append(delivery)
        readable = [d for d in ours if self._survivable(d) and self._decode(d)]
        if readable:
            self._attempt(readable)
        if others:
            self.broker.ack(self.subscription.group, self.consumer, others)

    def _survivable(self, delivery: Delivery) -> bool:
        """A message that was begun as often as it may be and never came back has killed its process each time."""
        if not self._used_up(delivery):
            return True
        self._bury(delivery, self._ended_its_process(delivery))
        return False

    def _used_up(self, delivery: Delivery) -> bool:
        """Whoever was read beside a message that ended the process has had no attempt of its own: each gets one alone,
        also where one attempt is all there is."""
        return delivery.attempt > max(2, self.subscription.retry.max_attempts)

    def _ended_its_process(self, delivery: Delivery) -> Failure:
        """Who died could not say what of; its last words are in its own log."""
        return Failure(
            f"its process ended while handling it, {delivery.attempt - 1} times: past the deadline of"
            f" {self.subscription.handler_deadline_s:g} s, killed, or crashed"
        )

    def concerns_us(self, delivery: Delivery) -> bool:
        """A topic carries more events than one group subscribes to. Unknown names are not ours to judge, unless the
        entry has no readable name at all."""
        return delivery.message.name in self._names or "." not in delivery.message.name

    def _decode(self, delivery: Delivery) -> bool:
        try:
            self._events[delivery.message.id] = delivery.message.event()
        except (UnknownEvent, MalformedMessage) as error:
            self._bury(delivery, Failure(f"{type(error).__name__}: {error}"))
            return False
        return True

    def _attempt(self, batch: Sequence[Delivery]) -> None:
        try:
            self._run(batch)
        except (BrokerUnavailable, StoreUnavailable):
            raise
        except NotYet as early:
            self._set_aside(batch, early)
            return
        except Exception as error:
            self._isolate(batch, error)
            return
        crashpoint("consume.committed")
        self.broker.ack(self.subscription.group, self.consumer, batch)
        crashpoint("consume.acked")

    def _call_handlers(self, batch: Sequence[Delivery]) -> None:
        events = [self._events[delivery.message.id] for delivery in batch]
        group = self.subscription.group
        with said_of(group, batch, events), tracing.handling(group, batch, events):
            for call in calls_of(events):
                try:
                    self.subscription.handlers[call.event_class](call.events)
                except SystemExit as error:
                    raise HandlerExited(f"the handler called sys.exit({error.code!r})") from error
                except (CancelledError, GeneratorExit) as error:  # no Exceptions either
                    raise HandlerExited(f"the handler raised {type(error).__name__}") from error

    def _set_aside(self, batch: Sequence[Delivery], early: NotYet) -> None:
        """Those that came early come again soon, without an attempt counted; the rest runs again now."""
        named = {id(event) for event in early.events}
        waiting = [d for d in batch if id(self._events[d.message.id]) in named]
        rest = [d for d in batch if id(self._events[d.message.id]) not in named]
        failure = Failure(f"NotYet: {early}")
        for delivery in waiting or batch:
            age_s = time.time() - delivery.first_failed_at_ms / 1000 if delivery.first_failed_at_ms else 0.0
            delay_s = min(EARLY_CEILING_S, max(EARLY_FIRST_S, age_s / 4))
            self._retry(delivery, delay_s, failure, count=False)
        if waiting and rest:
            self._attempt(rest)

    def _isolate(self, batch: Sequence[Delivery], error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            self._attempt(batch[:middle])
            self._attempt(batch[middle:])
            return
        delivery = batch[0]
        failure = _failure_of(error)
        delay_s = self.subscription.retry.delay_s(delivery.attempt, rng=self.rng)
        if delay_s is None:
            self._bury(delivery, failure)
            return
        logger.warning(
            "%s: %s %s failed (attempt %d): %s; again in %.1f s",
            self.subscription.group, delivery.message.name, delivery.message.id, delivery.attempt, failure.reason,
            delay_s, extra=self._facts(delivery),
        )  # fmt: skip
        self._retry(delivery, delay_s, failure, count=True)

    def _facts(self, delivery: Delivery) -> dict[str, str]:
        return facts(delivery, self._events.get(delivery.message.id))

    def _retry(self, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool) -> None:
        self.broker.retry(self.subscription.group, self.consumer, delivery, delay_s, failure, count=count)

    def _bury(self, delivery: Delivery, failure: Failure) -> None:
        logger.error(
            "%s: %s %s is dead after %d attempt(s): %s",
            self.subscription.group, delivery.message.name, delivery.message.id, delivery.attempt, failure.reason,
            extra=self._facts(delivery),
        )  # fmt: skip
        quarantine = delivery.replays >= self.subscription.max_replays
        self.broker.bury(self.subscription.group, self.consumer, delivery, failure, quarantine=quarantine)


def _failure_of(error: Exception) -> Failure:
    try:
        said = str(error)
    except Exception as worse:  # a bug in its __str__ must not end the consumer
        said = f"its text can't be read ({type(worse).__name__})"
    return Failure(f"{type(error).__name__}: {said}", "".join(traceback.format_exception(error)))
