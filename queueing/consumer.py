"""A consumer process: a worker for a subscription, with what stands around its handlers (the inbox, and in ordered mode
the fence), from its first line to its last."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.db import limit_session
from queueing.faults.exposed import exposed, sheltered
from queueing.fence import DatabaseFence
from queueing.inbox import inbox
from queueing.middleware import Middleware
from queueing.middleware.deadline import deadline
from queueing.middleware.timing import timing
from queueing.ordered import OrderedWorker
from queueing.subscription import Subscription
from queueing.worker import Worker


def consume(subscription: Subscription, *, say: Callable[[str], None], lifeline: int | None = None) -> None:
    """Be a consumer of this group until SIGTERM, SIGINT or the end of the lifeline; finish the batch at hand and leave.

    The process must not have asked PostgreSQL anything yet.
    lifeline: the end of a pipe whose other end only a supervisor holds: it closes when the consumer is to leave, and
        when the supervisor is gone, however it went.
    """
    limit_session(lease_s=subscription.lease_s)
    in_time = deadline(subscription.group, subscription.handler_deadline_s)
    broker = make_broker()
    faults = exposed(subscription, broker) if settings.FAULT_ROOM else sheltered(subscription, broker)
    worker = make_worker(
        subscription, broker, outermost=[*faults.outermost, in_time, timing], innermost=faults.innermost,
        lookouts=faults.lookouts,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    if lifeline is not None:
        threading.Thread(target=_leave_at_the_end_of, args=(lifeline, worker), name="lifeline", daemon=True).start()
    say(f"{worker.consumer} reads {', '.join(subscription.topics)}")
    calm_the_collector()
    worker.run()
    say(f"{worker.consumer} has left")


def _leave_at_the_end_of(lifeline: int, worker: Worker) -> None:
    while os.read(lifeline, 1):
        pass
    worker.stop()


def make_worker(
    subscription: Subscription,
    broker: RedisStreamsBroker,
    *,
    outermost: Sequence[Middleware] = (),
    innermost: Sequence[Middleware] = (),
    **options: Any,
) -> Worker:
    """outermost: middlewares around the transaction; innermost: inside it. options: see Worker."""
    group = subscription.group
    if subscription.mode == "ordered":
        fence = DatabaseFence(group)
        middlewares = [*outermost, inbox(group, rebuildable=subscription.rebuildable, fence=fence.hold), *innermost]
        return OrderedWorker(subscription, broker, middlewares, authority=fence, **options)
    middlewares = [*outermost, inbox(group, rebuildable=subscription.rebuildable), *innermost]
    return Worker(subscription, broker, middlewares, **options)


def calm_the_collector(*, every: int = 100_000) -> None:
    """For a process that only consumes: Python's cyclic garbage collector looks a hundred times less often.

    A batch makes tens of thousands of small tuples that die with it by reference count; looking for cycles among them
    took 8 to 10 % of what a consumer of orders does (`make bench`). Cycles are still found, and what was loaded at
    start is never looked at again. A drill watches that memory stays flat.

    every: so many objects that may be part of a cycle, and are not gone yet.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(every, 20, 20)
