"""A worker for a subscription, with what stands around its handlers: the inbox, and in ordered mode the fence."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.fence import DatabaseFence
from queueing.inbox import inbox
from queueing.middleware import Middleware
from queueing.ordered import OrderedWorker
from queueing.subscription import Subscription
from queueing.worker import Worker


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
