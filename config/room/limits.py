"""The limit beside each layer of the funnel, as it is now: settings of this process, and caps operators may set."""

from __future__ import annotations

from django.conf import settings

from config.room.flow import ADMISSIONS
from queueing import keys
from queueing.brokers.redis_streams.capping import caps_from
from queueing.conf import subscriptions, topics
from queueing.console import words
from queueing.console.link import client
from queueing.faults.fault import Kind

EVENTS = "orders.events"


def read_limits() -> dict[str, str]:
    """Layer → its limit in words.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    caps = _read_caps("orders", "payments", "logistics")
    rate, burst, under_way = settings.GATEWAY_LIMIT
    orders_rate, orders_burst, orders_under_way = settings.ORDERS_LIMIT
    return {
        "offered": "none",
        "cached": "none",
        "shed": f"{rate:,}/s, of orders {orders_rate:,}/s",
        "passed": f"{rate:,}/s, {burst:,} more at once, {under_way:,} under way",
        "asked": f"{orders_rate:,}/s, {orders_burst:,} more at once, {orders_under_way:,} under way",
        "refused": f"{_each(settings.RATE_PER_USER)} a shopper, {_each(settings.RATE_PER_ADDRESS)} an address",
        "sold_out": "the stock",
        "queued": _capacity(topics()[ADMISSIONS].capacity),
        "created": _cap(caps["orders"], ADMISSIONS),
        "paid": _cap(caps["payments"], EVENTS),
        "shipped": _cap(caps["logistics"], EVENTS),
    }


def _read_caps(*groups: str) -> dict[str, dict[str, float | None]]:
    """As declared, or as an operator has set them, or none where the fault room lifts them."""
    with client().pipeline(transaction=False) as pipe:
        for group in groups:
            pipe.hgetall(keys.caps(group))
            pipe.exists(keys.fault(Kind.LIFT, group))
        replies = pipe.execute()
    found = {}
    for group, fields, lifted in zip(groups, replies[::2], replies[1::2], strict=True):
        subscription = subscriptions()[group]
        set_now = caps_from(fields, lifted_from=subscription.topics if lifted else ())
        found[group] = {**subscription.caps, **set_now}
    return found


def _cap(caps: dict[str, float | None], topic: str) -> str:
    rate = caps.get(topic, caps.get(""))
    return "none" if rate is None else words.per_second(rate)


def _capacity(messages: int | None) -> str:
    return f"{messages:,} waiting" if messages else "none"


def _each(rate_and_burst: tuple[float, int]) -> str:
    rate, _ = rate_and_burst
    return words.per_second(rate) if rate else "any number"
