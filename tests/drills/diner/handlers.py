"""What a waiter does with an order: he notes it, and then does his deed, each time he reads it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from django.db import connection

from queueing.autoscaler.limits import Limits
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from tests.drills.diner.clock import jump_when_told
from tests.drills.diner.events import GROUP, Ordered
from tests.drills.diner.freezing import freeze

jump_when_told()


def _raise() -> None:
    raise ValueError("the plate is broken")


def _take_long_in_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")


DEEDS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "hang": lambda: time.sleep(60),
    "hang in C, with the interpreter's lock": lambda: ctypes.PyDLL(None).sleep(60),
    "hang in PostgreSQL": _take_long_in_the_database,
    "sys.exit": lambda: sys.exit(3),
    "os._exit": lambda: os._exit(0),
    "be killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
}


def serve(orders: Sequence[Ordered]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO served ("table", number, pid) SELECT *, %s FROM unnest(%s::text[], %s::int[])',
            [os.getpid(), [order.table for order in orders], [order.number for order in orders]],
        )
    freeze("handler")
    for order in orders:
        if order.deed:
            DEEDS[order.deed]()
    time.sleep(float(os.environ.get("DINER_TAKES_S", "0")))


SUBSCRIPTION = Subscription(
    GROUP,
    {Ordered: serve},
    batch_size=int(os.environ.get("DINER_BATCH", "500")),
    retry=RetryPolicy(max_attempts=int(os.environ.get("DINER_ATTEMPTS", "2")), first_s=0.05, ceiling_s=0.3),
    lease_s=float(os.environ.get("DINER_LEASE_S", "1")),
    mode="ordered" if os.environ.get("DINER_MODE") == "ordered" else "competing",
    parked_on_death=False,
    scaling=Limits(**json.loads(os.environ.get("DINER_SCALING", "{}"))),
)
