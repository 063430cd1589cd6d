"""Publish with the transaction, never beside it: now, or for later."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from queueing import tracing
from queueing.broker import Broker
from queueing.conf import make_broker
from queueing.db import copy_in
from queueing.errors import NotInTransaction
from queueing.event import Event
from queueing.message import Message
from queueing.models import OutboxMessage

LANES = 16
_COLUMNS = (
    "lane", "message_id", "topic", "key", "name", "version", "body", "headers", "produced_at_ms", "deliver_at_ms"
)  # fmt: skip
CHANNEL = "queueing_outbox"  # PostgreSQL NOTIFY: the relay wakes when the transaction commits


def lane_of(key: str) -> int:
    return zlib.crc32(key.encode()) % LANES


def publish(*events: Event, delay: timedelta | float | None = None, deliver_at: datetime | None = None) -> list[str]:
    """Tell these events if, and only if, the current transaction commits. Returns their message ids.

    Hold the row lock of what the events are about: the ids drawn here are the order in which they are told.

    delay: tell them this much later (a timedelta, or seconds), counted from this call, not from the commit.
    deliver_at: tell them at this moment (aware), or at once if it has passed.

    Raises:
        NotInTransaction: there is no transaction to ride on.
        ValueError: both delay and deliver_at, a negative delay, or a moment without a time zone.
    """
    deliver_at_ms = _due_ms(delay, deliver_at)
    if not events:
        return []
    if not transaction.get_connection().in_atomic_block:
        raise NotInTransaction
    headers = tracing.outgoing()
    messages = [
        Message.of(event, headers=headers(event) if headers else None, deliver_at_ms=deliver_at_ms) for event in events
    ]
    copy_in(OutboxMessage._meta.db_table, _COLUMNS, map(_row, messages))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return [message.id for message in messages]


def _row(message: Message) -> tuple[Any, ...]:
    return (
        lane_of(message.key),
        message.id,
        message.topic,
        message.key,
        message.name,
        message.version,
        message.body.decode(),
        msgspec.json.encode(message.headers).decode() if message.headers else "{}",
        message.produced_at_ms,
        message.deliver_at_ms,
    )


def _due_ms(delay: timedelta | float | None, deliver_at: datetime | None) -> int:
    if delay is not None and deliver_at is not None:
        raise ValueError("delay and deliver_at are two ways to say one thing; give one")
    if deliver_at is not None:
        if deliver_at.tzinfo is None:
            raise ValueError(f"deliver_at={deliver_at} has no time zone; whose time is it?")
        return max(1, int(deliver_at.timestamp() * 1000))
    if delay is None:
        return 0
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if seconds < 0:
        raise ValueError(f"delay={delay} is negative")
    return int((time.time() + seconds) * 1000)


def cancel(message_id: str, *, broker: Broker | None = None) -> bool:
    """Take a delayed message back, wherever it waits. False: it was delivered already, or is not known.

    It takes effect at once and not with a transaction of yours, so call it after the commit (`transaction.on_commit`).
    A message that comes all the same, because you died in between, must find out for itself that it is overtaken.

    Raises:
        RuntimeError: inside a transaction.
        BrokerUnavailable: unknown; ask again.
    """
    with transaction.atomic(durable=True), _lent(broker) as asked:
        # The relay deletes a row in the transaction it tells it in: this waits for it, and then finds it told.
        untold, _ = OutboxMessage.objects.filter(message_id=message_id, deliver_at_ms__gt=0).delete()
        told = asked.cancel(message_id)  # also when there was a row: a relay may have died after telling it
    return told or untold > 0


@contextmanager
def _lent(broker: Broker | None) -> Iterator[Broker]:
    if broker is not None:
        yield broker
        return
    own = make_broker()
    try:
        yield own
    finally:
        own.redis.close()
