"""The operator's page of a large house: what the server takes to write it, and what each sample of it costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import redis
from django.contrib.auth import get_user_model
from django.test import Client

from benchmarks.row import Row
from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console.resting import Counters
from queueing.console.sampling import take_sample
from queueing.message import Message, new_id

PAGE = "/admin/queueing/queue/"
GROUP, SALES, EVENTS = "orders", "orders.placed", "orders.events"
FIRST_PAINT_MS = 300  # promised; the browser's own part is in docs/benchmarks.md
SHARE_OF_A_SECOND_MS = 20  # two per cent of a core
WHY = Failure("OvenCold: 12°", "Traceback: …\n" * 20)


def rows(redis_url: str, *, dead: int = 10_000, partitions: int = 64, looks: int = 15) -> Iterator[Row]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    broker = make_broker()
    broker.grow(EVENTS, partitions)
    _bury(broker, dead)
    broker.produce([_message(EVENTS, str(number)) for number in range(20 * partitions)])  # none of them rests
    page = f"page, {dead:,} dead, {partitions} partitions"
    yield Row(page, "ms", _page_ms(looks), "the first paint promised", FIRST_PAINT_MS, 1, at_most=True)
    sample = f"a sample of {partitions} partitions"
    yield Row(sample, "ms of CPU", _sample_ms(looks), "2 % of a core for a second", SHARE_OF_A_SECOND_MS, None)
    broker.redis.close()


def _bury(broker: RedisStreamsBroker, dead: int) -> None:
    broker.produce([_message(SALES, "7") for _ in range(dead)])
    while held := broker.read(GROUP, "bench", [SALES], 500, 0):
        for delivery in held:
            broker.bury(GROUP, "bench", delivery, WHY)


def _page_ms(looks: int) -> float:
    staff, _ = get_user_model().objects.get_or_create(username="bench", defaults={"is_staff": True})
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(staff)
    return statistics.median(_timed(time.perf_counter, lambda: browser.get(PAGE)) for _ in range(looks))


def _sample_ms(looks: int) -> float:
    counters = Counters()
    return statistics.median(_timed(time.thread_time, lambda: take_sample(counters)) for _ in range(looks))


def _timed(clock: Callable[[], float], work: Callable[[], object]) -> float:
    began = clock()
    work()
    return (clock() - began) * 1000


def _message(topic: str, key: str) -> Message:
    return Message(new_id(), topic, key, "orders.OrderPlaced", 1, b'{"order_id":"o-1"}', int(time.time() * 1000))
