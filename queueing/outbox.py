"""Publish with the transaction, never beside it."""

from __future__ import annotations

import zlib

from django.db import connection, transaction

from queueing.errors import NotInTransaction
from queueing.event import Event
from queueing.message import Message
from queueing.models import OutboxMessage

LANES = 16
CHANNEL = "queueing_outbox"  # PostgreSQL NOTIFY: the relay wakes when the transaction commits


def lane_of(key: str) -> int:
    return zlib.crc32(key.encode()) % LANES


def publish(*events: Event) -> None:
    """Tell these events if, and only if, the current transaction commits.

    Hold the row lock of what the events are about: the ids drawn here are the order in which they are told.

    Raises:
        NotInTransaction: there is no transaction to ride on.
    """
    if not events:
        return
    if not transaction.get_connection().in_atomic_block:
        raise NotInTransaction
    messages = [Message.of(event) for event in events]
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            lane=lane_of(message.key),
            message_id=message.id,
            topic=message.topic,
            key=message.key,
            name=message.name,
            version=message.version,
            body=message.body.decode(),
            headers=dict(message.headers),
            produced_at_ms=message.produced_at_ms,
        )
        for message in messages
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
