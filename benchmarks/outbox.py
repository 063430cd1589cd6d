"""Outbox rows in a durable PostgreSQL, told to their topic by the relay, against raw pipelined XADD of the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import redis
from django.db import connection, transaction

from benchmarks import raw
from benchmarks.parcel import TOPIC, Parcel, parcels
from benchmarks.row import Row, rates
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import new_id
from queueing.models import OutboxMessage
from queueing.outbox import publish
from queueing.relay import Relay
from queueing.topic import Topic

ROWS, BATCH = 20_000, 500
PARTITIONS = 4  # as many as orders.events has


def rows(redis_url: str, *, count: int = ROWS, pairs: int = 5) -> Iterator[Row]:
    """Needs Django set up and queueing's tables there."""
    client: Any = redis.Redis.from_url(redis_url)

    def relay() -> float:
        client.flushdb()
        with transaction.atomic():
            publish(*(_parcel() for _ in range(count)))
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM queueing_tide")  # the Redis that was emptied lost nothing that anybody misses
            cursor.execute("ANALYZE queueing_outboxmessage")  # autovacuum's work, whose moment is not ours to measure
        relay = Relay(RedisStreamsBroker({TOPIC: Topic(TOPIC, partitions=PARTITIONS)}, url=redis_url))
        relay.own_lanes()
        told, started = 0, time.perf_counter()
        while moved := relay.step():
            told += moved
        took = time.perf_counter() - started
        relay.release_lanes()
        assert told == count
        assert not OutboxMessage.objects.exists()
        return count / took

    def xadd() -> float:
        client.flushdb()
        return raw.produce(client, parcels(count), batch=BATCH)

    ours, theirs = rates(relay, xadd, pairs=pairs)
    yield Row("outbox rows relayed", "messages/s", ours, "raw XADD, pipelined, same bytes", theirs, 0.5)
    client.flushdb()


def _parcel() -> Parcel:
    return Parcel(order_id=new_id(), sale_id=7, user_id=4211, quantity=1, pad="." * 12)
