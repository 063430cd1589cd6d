"""A consumer process of an ordered group, for test_ordered_processes.py: python -m queueing.tests.ordered_kitchen

It writes each plate to the table `plates`. KITCHEN_FREEZE=<where>:<number> stops the process by SIGSTOP when it comes
to that number: `read` before its transaction, `handler` inside it, `committed` before the acknowledgement.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence

from django.db import connection

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.event import Event
from queueing.message import Delivery
from queueing.middleware import Step
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.topic import Topic

TOPICS = {"plates": Topic("plates", partitions=4)}
LEASE_S = 2.0
WHERE, _, NUMBER = os.environ.get("KITCHEN_FREEZE", "").partition(":")


class Plated(Event):
    wire = "tests.Plated"
    topic = "plates"
    key_field = "table"

    table: str
    number: int
    burnt: bool = False  # fails the first time a process sees it


_complained: set[int] = set()


def serve(events: Sequence[Plated]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO plates ("table", number, pid) VALUES (%s, %s, %s)',
            [(event.table, event.number, os.getpid()) for event in events],
        )
    freeze("handler", [event.number for event in events])
    for event in events:
        if event.burnt and event.number not in _complained:
            _complained.add(event.number)
            raise ValueError(f"plate {event.number} is burnt")
    time.sleep(0.01)  # so that a batch takes long enough to be interrupted


SUBSCRIPTION = Subscription(
    "waiters", {Plated: serve}, batch_size=20, retry=RetryPolicy(max_attempts=50, first_s=0.05, ceiling_s=0.3),
    lease_s=LEASE_S, mode="ordered",
)  # fmt: skip


def freeze(where: str, numbers: Sequence[int]) -> None:
    if where == WHERE and int(NUMBER) in numbers:
        logging.getLogger("kitchen").warning("frozen")
        os.kill(os.getpid(), signal.SIGSTOP)


def numbers_of(batch: Sequence[Delivery]) -> list[int]:
    return [event.number for event in (d.message.event() for d in batch) if isinstance(event, Plated)]


def freeze_after_reading(batch: Sequence[Delivery], following: Step) -> None:
    freeze("read", numbers_of(batch))
    following(batch)


class Kitchen(RedisStreamsBroker):
    def ack_in_order(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        freeze("committed", numbers_of(deliveries))
        return super().ack_in_order(group, consumer, deliveries)


def main() -> None:
    import django

    django.setup()
    from queueing.consumer import make_worker
    from queueing.db import limit_session

    limit_session(lease_s=LEASE_S)
    broker = Kitchen(TOPICS, url=os.environ["REDIS_URL"])
    worker = make_worker(SUBSCRIPTION, broker, outermost=[freeze_after_reading], collect_s=0)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
