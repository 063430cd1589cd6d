"""A queue with known numbers, for the console's tests: real topics and groups, settled by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
import redis
from django.contrib.auth.models import Permission
from django.test import Client

from queueing import keys
from queueing.broker import Failure
from queueing.brokers.envelope import Parked, to_json
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.console.letters import Address
from queueing.message import Delivery, Message, new_id

PLACED = "orders.placed"
GROUP = "orders"
TOPICS = ["orders.placed"]
LETTERS = (PLACED, "7", GROUP)  # where they are dead
NASTY = (
    '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'";</pre></textarea>'
    "{{ 7|add:'7' }}{% load x %}\u2028\u202e\x1b[31m"
)


def placed(key: str = "7", *, body: bytes = b'{"order_id":"o-1"}', name: str = "orders.OrderPlaced") -> Message:
    return Message(new_id(), PLACED, key, name, 1, body, 1_700_000_000_000)


def read(broker: RedisStreamsBroker, limit: int, *, consumer: str = "ada") -> list[Delivery]:
    return broker.read(GROUP, consumer, TOPICS, limit, 0)


def bury(
    broker: RedisStreamsBroker,
    messages: Sequence[Message],
    *,
    reason: str = "OvenCold: 12°",
    traceback: str = "Traceback: …",
    quarantine: bool = False,
) -> list[Delivery]:
    """These messages, dead in the group "orders"."""
    broker.produce(messages)
    deliveries = read(broker, len(messages))
    for delivery in deliveries:
        assert broker.bury(GROUP, "ada", delivery, Failure(reason, traceback), quarantine=quarantine)
    return deliveries


def many_dead(client: redis.Redis, count: int, *, body: bytes = b"{}", reason: str = "OvenCold: 12°") -> list[str]:
    """Letters as the scripts leave them, without burying each: seven of ten in one millisecond."""
    ids = []
    with client.pipeline(transaction=False) as pipe:
        for number in range(count):
            message = placed(body=body)
            letter = Parked.of(
                Delivery(message, "7", f"{number}-0", attempt=5), Failure(reason), at_ms=1_700_000_000_000
            )
            pipe.hset(keys.graves(*LETTERS), message.id, to_json(letter))
            pipe.zadd(keys.dead(*LETTERS), {message.id: 1_700_000_000_000 + max(0, number % 10 - 6)})
            ids.append(message.id)
            if number % 2_000 == 0:
                pipe.execute()
        pipe.sadd(keys.partitions(PLACED), "7")
        pipe.execute()
    return ids


def sits_there(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Somebody at a terminal, who answers the one question with this."""
    keyboard = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(keyboard, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", keyboard)


def token(delivery: Delivery, group: str = GROUP) -> str:
    """What the console's forms call this dead letter."""
    return Address(group, delivery.message.topic, delivery.partition, delivery.message.id).token


def person(model: type, name: str, **facts: bool) -> Client:
    """Somebody's browser, logged in. Who is called "operator" may replay."""
    somebody = model.objects.create_user(name, **facts)
    if name == "operator":
        somebody.user_permissions.add(Permission.objects.get(content_type__app_label="queueing", codename="operate"))
    browser = Client()
    browser.force_login(somebody)
    return browser
