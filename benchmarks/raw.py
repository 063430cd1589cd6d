"""The same work by redis-py alone, sent as well as it can be: what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.parcel import fields
from queueing.message import Message

STREAM = "raw"


def produce(client: Any, messages: Sequence[Message], *, batch: int) -> float:
    """Pipelined XADD of these messages, `batch` a pipeline. Returns messages per second."""
    client.delete(STREAM)
    entries = [fields(message) for message in messages]
    started = time.perf_counter()
    for start in range(0, len(entries), batch):
        with client.pipeline(transaction=False) as pipe:
            for entry in entries[start : start + batch]:
                pipe.xadd(STREAM, entry)
            pipe.execute()
    return len(entries) / (time.perf_counter() - started)


def consume(client: Any, count: int, *, batch: int) -> float:
    """XREADGROUP and XACK, `batch` at a time, of `count` entries that are there. Returns messages per second."""
    client.xgroup_create(STREAM, "bench", id="0")
    seen, started = 0, time.perf_counter()
    while seen < count:
        reply = client.xreadgroup("bench", "ada", {STREAM: ">"}, count=batch)
        [(_, chunk)] = reply
        client.xack(STREAM, "bench", *[offset for offset, _ in chunk])
        seen += len(chunk)
    return seen / (time.perf_counter() - started)
