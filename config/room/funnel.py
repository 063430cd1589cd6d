"""The funnel: how many came, and at which layer how many were let through."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from config.room.door import looks
from config.room.page import page
from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_series import read_series
from queueing.conf import topics
from queueing.console.link import client
from queueing.series import Series, added_up

ADMISSIONS, CREATORS = "orders.placed", "orders"
LAST_S = 300


@looks
def show(request: HttpRequest) -> HttpResponse:
    try:
        queue = read_queue(last_s=LAST_S)
    except RedisError:
        return page(request, "funnel.html", "Funnel", banner="Redis does not answer. Look again.")
    queued, created = (sum(queue.produced), sum(queue.acked)) if queue else (0, 0)
    return page(request, "funnel.html", "Funnel", queued=queued, created=created)


def read_queue(*, last_s: int) -> Series | None:
    """The admission log as those see it who make rows of it; None: no sale was ever opened.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    partitions = read_partitions(client(), [topics()[ADMISSIONS]])[ADMISSIONS].partitions
    found = read_series(client(), [(ADMISSIONS, partition, CREATORS) for partition in partitions], last_s=last_s)
    return added_up(list(found.values())) if found else None
