"""settings.QUEUEING → a broker and the subscriptions of the house."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.registry import subscriptions as find_subscriptions
from queueing.subscription import Subscription
from queueing.topic import Topic


def topics() -> dict[str, Topic]:
    return {name: Topic(name, **options) for name, options in settings.QUEUEING["TOPICS"].items()}


def make_broker() -> RedisStreamsBroker:
    """A broker of its own for the calling thread, of the class that settings.QUEUEING['BROKER'] names."""
    broker_class: type[RedisStreamsBroker] = import_string(settings.QUEUEING["BROKER"])
    return broker_class(topics(), **settings.QUEUEING["OPTIONS"])


@cache
def subscriptions() -> dict[str, Subscription]:
    return find_subscriptions(settings.QUEUEING["APPS"])
