"""For tests: run relay and consumers in this thread until everything that was said has been heard."""

from __future__ import annotations

import time

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.consumer import make_worker
from queueing.outbox import LANES
from queueing.relay import Relay


def drain(*, timeout_s: float = 20.0, broker: RedisStreamsBroker | None = None) -> None:
    """Turn the relay and one worker per group until nothing moves and nothing is due.

    Raises:
        TimeoutError: something is still moving after `timeout_s` seconds.
    """
    broker = broker or make_broker()
    relay = Relay(broker)
    workers = [make_worker(subscription, broker, collect_s=0) for subscription in subscriptions().values()]
    deadline = time.monotonic() + timeout_s
    while len(relay.own_lanes()) < LANES:
        if time.monotonic() > deadline:
            raise TimeoutError("another relay owns some lanes of this database")
        time.sleep(0.01)
    try:
        while time.monotonic() < deadline:
            moved = relay.step() + sum(worker.step(0) for worker in workers)
            if not moved and not _delayed(broker):
                return
    finally:
        relay.release_lanes()
    raise TimeoutError(f"still moving after {timeout_s:.0f} s")


def _delayed(broker: RedisStreamsBroker) -> int:
    stats = broker.stats({group: sub.topics for group, sub in subscriptions().items()})
    return sum(row.delayed for row in stats)
