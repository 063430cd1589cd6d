"""Celery: the one-process pool, no result backend, nothing between it and its queue."""

from __future__ import annotations

import os

from celery import Celery

from benchmarks.peers.tally import BODY, REDIS_URL, tally

app = Celery("bench", broker=os.environ[REDIS_URL])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=128, worker_hijack_root_logger=False)
count = tally()


@app.task(name="noop")
def noop(body: str) -> None:
    count()


def send(messages: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(messages):
            noop.apply_async((BODY,), producer=producer)
