"""Dramatiq: one process, one worker thread (eight of them hold each other up), no middleware but its own."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.tally import BODY, REDIS_URL, tally

broker = RedisBroker(url=os.environ[REDIS_URL])
dramatiq.set_broker(broker)
count = tally()


@dramatiq.actor(actor_name="noop")
def noop(body: str) -> None:
    count()


def send(messages: int) -> None:
    for _ in range(messages):
        noop.send(BODY)
