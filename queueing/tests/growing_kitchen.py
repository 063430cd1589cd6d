"""Processes that produce and grow, for test_growing_processes.py: python -m queueing.tests.growing_kitchen <role>

produce <seed>      plates without end, numbered; after each batch it notes how far it has come. Killed in between,
                    its heir sends the last batch once more, with the same ids.
grow <partitions> [<call>]  let the topic grow; with a call, die by SIGKILL right before that script.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import Message
from queueing.tests.ordered_kitchen import TOPICS, Plated

SENT = "tests:sent"
TABLES = 40


def plate(number: int) -> Message:
    """Always the same one for a number: its table, its id, and whether it is burnt."""
    rng = random.Random(number)
    event = Plated(table=str(rng.randrange(TABLES)), number=number, burnt=rng.random() < 0.02)
    return replace(Message.of(event), id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))))


def produce(broker: RedisStreamsBroker, seed: str) -> None:
    rng = random.Random(seed)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    while not stopping:
        sent = int(broker.redis.get(SENT) or 0)
        count = rng.randint(1, 8)
        broker.produce([plate(number) for number in range(sent, sent + count)])
        broker.redis.set(SENT, sent + count)
        time.sleep(0.01)


def grow(broker: RedisStreamsBroker, partitions: str, call: str = "0") -> None:
    left = [int(call)]

    def dying(script: Any) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return script(*args, **kwargs)

        return run

    broker._scripts = {name: dying(script) for name, script in broker._scripts.items()}  # type: ignore[misc]
    broker.grow("plates", int(partitions))


if __name__ == "__main__":
    {"produce": produce, "grow": grow}[sys.argv[1]](
        RedisStreamsBroker(TOPICS, url=os.environ["REDIS_URL"]), *sys.argv[2:]
    )
