"""A worker for a subscription, with what stands around its handlers: the inbox, and in ordered mode the fence."""

from __future__ import annotations

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
    subscription: Subscription, broker: RedisStreamsBroker, *, outermost: Sequence[Middleware] = (), **options: Any
) -> Worker:
    """outermost: middlewares around the transaction. options: see Worker."""
    group = subscription.group
    if subscription.mode == "ordered":
        fence = DatabaseFence(group)
        middlewares = [*outermost, inbox(group, rebuildable=subscription.rebuildable, fence=fence.hold)]
        return OrderedWorker(subscription, broker, middlewares, authority=fence, **options)
    return Worker(subscription, broker, [*outermost, inbox(group, rebuildable=subscription.rebuildable)], **options)
