"""A backlog of 100,000 for a handler that waits: one consumer against an autoscaler that may have eight.

The clock of a row begins with the backlog and ends with what the row is about: a second consumer that has handled
something, the last message acknowledged, the least number of consumers again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks.parcel import TOPIC, parcels
from benchmarks.row import Row
from benchmarks.scaled.handlers import BATCH, GROUP, SCALING
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import Message
from queueing.topic import Topic

BASE = Path(__file__).resolve().parents[2]
TOPICS = {TOPIC: Topic(TOPIC, partitions=4)}
MESSAGES, ALONE_S = 100_000, 8.0
LOOK_S = 0.1
REACT_WITHIN_S, REST_WITHIN_S, WITHIN_S = 5.0, 60.0, 300.0


def rows(redis_url: str, *, messages: int = MESSAGES, alone_s: float = ALONE_S, **limits: float) -> Iterator[Row]:
    """Needs Django set up and queueing's tables there.

    alone_s: one consumer's rate is that of so many seconds. limits: of the group, where not the autoscaler's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(redis_url, Path(folder), limits)
        with bench.autoscaler(most=1):
            alone = bench.rate(messages, over_s=alone_s)
        with bench.autoscaler(most=8):
            made = parcels(messages)
            began = time.monotonic()
            bench.pile_up(made)
            _until(lambda: bench.at_work() > 1)
            reacted_s = time.monotonic() - began
            _until(lambda: bench.acked() >= messages)
            together = messages / (time.monotonic() - began)
            yield Row(
                "drained by 1 → 2 → 4 → 8 consumers",
                "messages/s",
                together,
                "one consumer, the same backlog",
                alone,
                4.0,
            )
            yield _within("from lag to a 2nd consumer at work", reacted_s, REACT_WITHIN_S)
            empty = time.monotonic()
            _until(lambda: bench.consumers() == 1)
            yield _within("from empty to one consumer again", time.monotonic() - empty, REST_WITHIN_S)
        bench.client.flushdb()


def _within(name: str, seconds: float, limit_s: float) -> Row:
    return Row(name, "ms", seconds * 1000, "the longest it may take", limit_s * 1000, 1.0, at_most=True)


class _Bench:
    def __init__(self, url: str, folder: Path, limits: Mapping[str, float]) -> None:
        self.client: Any = redis.Redis.from_url(url)
        self.url, self.folder, self.limits = url, folder, limits
        self.broker = RedisStreamsBroker(TOPICS, url=url)

    @contextmanager
    def autoscaler(self, *, most: int) -> Iterator[None]:
        """On an empty queue, from its first consumer's first beat on."""
        self.client.flushdb()
        told = {
            **os.environ,
            "REDIS_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.scaled.settings",
            SCALING: json.dumps({**self.limits, "most": most}),
        }
        with ExitStack() as stack:
            said = stack.enter_context((self.folder / "said").open("wb"))
            command = [sys.executable, "manage.py", "autoscale"]
            process = subprocess.Popen(command, cwd=BASE, env=told, stdout=said, stderr=said)
            stack.callback(_end, process)
            _until(lambda: self.consumers() == 1 or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError((self.folder / "said").read_text()[-2000:])
            yield

    def pile_up(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), 5_000):
            self.broker.produce(messages[start : start + 5_000])

    def rate(self, messages: int, *, over_s: float) -> float:
        """Messages a second that are acknowledged of such a backlog."""
        self.pile_up(parcels(messages))
        _until(lambda: self.acked() > 10 * BATCH)
        began, before = time.monotonic(), self.acked()
        while time.monotonic() < began + over_s and self.acked() < messages:
            time.sleep(LOOK_S)
        return (self.acked() - before) / (time.monotonic() - began)

    def acked(self) -> int:
        return sum(row.acked for row in self.broker.stats({GROUP: [TOPIC]}))

    def consumers(self) -> int:
        return len(self.broker.abouts(GROUP))

    def at_work(self) -> int:
        """Those that have handled something."""
        return sum(about.handled > 0 for about in self.broker.abouts(GROUP).values())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WITHIN_S:.0f} s")
        time.sleep(LOOK_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
