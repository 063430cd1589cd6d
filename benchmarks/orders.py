"""Admitted orders made rows by one consumer, everything on, against COPY of the bare order rows into the same table."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.row import Row, rates
from orders.events import OrderPlaced
from orders.handlers import SUBSCRIPTION
from orders.models import Order, Transition
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.consumer import calm_the_collector, make_worker
from queueing.message import Message, new_id
from queueing.models import InboxEntry, OutboxMessage
from queueing.topic import Topic
from queueing.worker import READ_WAIT_S

ORDERS, BATCH, SALE = 20_000, 1_000, 7
TABLES = (Order, Transition, OutboxMessage, InboxEntry)
COLUMNS = (
    "id, sale_id, user_id, idempotency_key, quantity, price_cents, total_cents, status, epoch, seq, placed_at,"
    " reject_reason"
)


def rows(redis_url: str, *, count: int = ORDERS, pairs: int = 5) -> Iterator[Row]:
    """Needs Django set up and every table there."""
    bench = _Bench(redis_url, count)
    before = gc.get_threshold()
    calm_the_collector()  # as `manage.py consume` does
    ours, theirs = rates(bench.persist, bench.copy, pairs=pairs)
    yield Row("orders persisted by one consumer", "orders/s", ours, "COPY of the order rows alone", theirs, 0.2)
    gc.set_threshold(*before)
    bench.clean()


class _Bench:
    def __init__(self, url: str, count: int) -> None:
        self.client: Any = redis.Redis.from_url(url)
        self.url, self.count = url, count

    def clean(self) -> None:
        self.client.flushdb()
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(table._meta.db_table for table in TABLES)}")

    def persist(self) -> float:
        """Reading, inbox, order, its first line of history, outbox, acknowledgement."""
        self.clean()
        topic = Topic(OrderPlaced.topic, **{**settings.QUEUEING["TOPICS"][OrderPlaced.topic], "capacity": 0})
        broker = RedisStreamsBroker({topic.name: topic}, url=self.url)
        broker.produce([Message.of(placed) for placed in _placed(self.count)])
        handlers = {OrderPlaced: SUBSCRIPTION.handlers[OrderPlaced]}
        worker = make_worker(replace(SUBSCRIPTION, handlers=handlers, rate=None, batch_size=BATCH), broker)
        worker.step(0)  # makes the group and connects
        already, started = Order.objects.count(), time.perf_counter()
        done = already
        while done < self.count:
            done += worker.step(READ_WAIT_S)
        took = time.perf_counter() - started
        assert Order.objects.count() == OutboxMessage.objects.count() == InboxEntry.objects.count() == self.count
        return (self.count - already) / took

    def copy(self) -> float:
        self.clean()
        now = timezone.now()
        orders = [
            (p.order_id, p.sale_id, p.user_id, p.idempotency_key, p.quantity, p.price_cents, p.price_cents, "created",
             p.epoch, p.seq, now, "")
            for p in _placed(self.count)
        ]  # fmt: skip
        batches = [orders[start : start + BATCH] for start in range(0, self.count, BATCH)]
        started = time.perf_counter()
        for batch in batches:
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                cursor.copy(f"COPY {Order._meta.db_table} ({COLUMNS}) FROM STDIN") as copy,
            ):
                for row in batch:
                    copy.write_row(row)
        return self.count / (time.perf_counter() - started)


def _placed(count: int) -> Iterator[OrderPlaced]:
    now_ms = time.time_ns() // 1_000_000
    for seq in range(1, count + 1):
        yield OrderPlaced(
            order_id=new_id(),
            sale_id=SALE,
            user_id=seq,
            idempotency_key=f"bench-key-{seq}",
            quantity=1,
            price_cents=4900,
            seq=seq,
            epoch=1,
            placed_at_ms=now_ms,
        )
