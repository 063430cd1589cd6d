"""What `manage.py consume` adds to a consumer that faults may hit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from django.conf import settings
from redis.exceptions import RedisError

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.faults import store
from queueing.faults.database import slow_database
from queueing.faults.fault import Kind
from queueing.faults.freezing import Freezing
from queueing.faults.pacing import pace
from queueing.faults.weather import Weather
from queueing.middleware import Middleware
from queueing.subscription import Subscription

LONGEST_PACE = 0.4  # of a lease: a consumer waits between two batches no longer, or it would be taken for dead


class Exposed(NamedTuple):
    """outermost, innermost: around the transaction, and inside it. lookouts: see queueing.worker.Worker."""

    outermost: tuple[Middleware, ...] = ()
    innermost: tuple[Middleware, ...] = ()
    lookouts: tuple[Callable[[], None], ...] = ()


def exposed(subscription: Subscription, broker: RedisStreamsBroker) -> Exposed:
    """Over the broker's own connection: a consumer is one thread."""
    weather = Weather(broker.redis, (Kind.PACE, Kind.DATABASE, Kind.FREEZE), subscription.group)
    freezing = Freezing(weather, broker.redis, settings.QUEUEING["OPTIONS"]["url"])
    return Exposed(
        outermost=(pace(weather, longest_s=LONGEST_PACE * subscription.lease_s),),
        innermost=(slow_database(weather, lease_s=subscription.lease_s),),
        lookouts=(weather.look, freezing.look),
    )


def sheltered(subscription: Subscription, broker: RedisStreamsBroker) -> Exposed:
    """Where there is no fault room. What was left over from when there was one is forgotten: a lifted cap would else
    stay lifted for its minutes, as whoever asks for the caps asks for that, too."""
    with suppress(RedisError):  # while Redis is away its minutes pass
        store.forget(broker.redis, subscription.group)
    return Exposed()
