"""Ours: a worker that reads and acknowledges by 500 and calls the function per message. `python -m` runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from benchmarks.parcel import TOPICS, Parcel, parcels
from benchmarks.peers.tally import REDIS_URL, tally
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.subscription import Subscription
from queueing.worker import Worker

broker = RedisStreamsBroker(TOPICS, url=os.environ[REDIS_URL])
count = tally()


def noop(parcel: Parcel) -> None:
    count()


def each(events: Sequence[Parcel]) -> None:
    for event in events:
        noop(event)


def send(messages: int) -> None:
    broker.produce(parcels(messages))


if __name__ == "__main__":
    worker = Worker(Subscription("bench", {Parcel: each}), broker)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()
