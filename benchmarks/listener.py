"""A consumer process of catch_up.py, inbox and all: `python -m benchmarks.listener live` or `replay`.

It appends one line per batch to LISTENER_LOG: how late each message was told to the handler, in microseconds. (Parent
and child read the same clock.)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.parcel import TOPIC, Parcel
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.subscription import Subscription
from queueing.topic import Topic

LOG = "LISTENER_LOG"
TOPICS = {TOPIC: Topic(TOPIC, partitions=4)}  # as many as orders.events has


def main(group: str) -> None:
    import django

    django.setup()
    from queueing.consumer import make_worker

    def listen(parcels: Sequence[Parcel]) -> None:
        now = time.time_ns()
        print(*((now - int(parcel.pad)) // 1000 for parcel in parcels), file=log, flush=True)

    subscription = Subscription(group, {Parcel: listen}, start="now" if group == "live" else "beginning")
    with Path(os.environ[LOG]).open("a") as log:
        # Not collected: a tenth of a second of collecting would hide what is measured.
        worker = make_worker(subscription, RedisStreamsBroker(TOPICS, url=os.environ["REDIS_URL"]), collect_s=0)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1])
