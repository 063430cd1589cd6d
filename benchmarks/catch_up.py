"""How late a group that is up to date hears its messages while another one replays 100,000 old ones.

Two consumer processes, each with its inbox in the same PostgreSQL, on one Redis; a hundred new messages a second. The
replay is paused and resumed every two seconds, so what else the machine does hits both sides alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks.listener import LOG, TOPICS
from benchmarks.parcel import Parcel
from benchmarks.row import Row
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.lanes import OLD_S
from queueing.message import Message, new_id

MESSAGES = 100_000
SLICE, PER_S = 200, 100.0
PAUSE_NOTICED_S = 0.5
WITHIN_S = 60.0


def rows(
    redis_url: str, *, messages: int = MESSAGES, each: int = SLICE, pairs: int = 3, old_s: float = OLD_S
) -> Iterator[Row]:
    """Needs Django set up and queueing's tables there. each: messages told in one slice."""
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(redis_url, Path(folder))
        made_at = bench.pile_up(messages)
        bench.broker.pause("replay")
        alone: list[int] = []
        beside: list[int] = []
        with bench.listening("live"), bench.listening("replay"):
            while time.monotonic() < made_at + old_s:  # a fresh backlog would not be slowed down
                bench.told(20)
            for _ in range(pairs):
                alone += bench.told(each)
                bench.replay(going_on=True)
                beside += bench.told(each)
                bench.replay(going_on=False)
        bench.client.flushdb()
    against = "the same without a replay"
    for name, part, target in (("live p99 beside a replay of 100,000", 0.99, None), ("  its median", 0.5, 2.0)):
        ours, theirs = _quantile(beside, part), _quantile(alone, part)
        yield Row(name, "µs", ours, against, theirs, target, at_most=target is not None)


def _quantile(late: Sequence[int], part: float) -> float:
    return float(sorted(late)[int(len(late) * part)])


class _Bench:
    def __init__(self, url: str, folder: Path) -> None:
        self.client: Any = redis.Redis.from_url(url)
        self.url, self.folder = url, folder
        self.client.flushdb()
        self.broker = RedisStreamsBroker(TOPICS, url=url)

    def pile_up(self, messages: int) -> float:
        for start in range(0, messages, 5_000):
            self.broker.produce([_parcel() for _ in range(min(5_000, messages - start))])
        return time.monotonic()

    def replay(self, *, going_on: bool) -> None:
        """Let it go on or pause it, and wait until it has noticed."""
        (self.broker.resume if going_on else self.broker.pause)("replay")
        time.sleep(PAUSE_NOTICED_S)

    def told(self, count: int) -> list[int]:
        """Tell so many messages one by one. Returns how late the live group heard each, in microseconds."""
        known = len(self._heard())
        next_at = time.monotonic()
        for _ in range(count):
            self.broker.produce([_parcel()])
            next_at += 1 / PER_S
            time.sleep(max(0.0, next_at - time.monotonic()))
        deadline = time.monotonic() + WITHIN_S
        while len(heard := self._heard()) < known + count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(heard) - known} of {count} messages were heard in {WITHIN_S:.0f} s")
            time.sleep(0.02)
        return heard[known:]

    @contextmanager
    def listening(self, group: str) -> Iterator[None]:
        """A consumer of this group, from its first beat on."""
        command = [sys.executable, "-m", "benchmarks.listener", group]
        told = {**os.environ, LOG: str(self.folder / group), "REDIS_URL": self.url}
        with ExitStack() as stack:
            errors = stack.enter_context((self.folder / f"{group}.err").open("wb"))
            process = subprocess.Popen(command, env=told, stdout=errors, stderr=errors)
            stack.callback(_end, process)
            deadline = time.monotonic() + WITHIN_S
            while not self.broker.beats(group):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / f"{group}.err").read_text()[-2000:])
                time.sleep(0.02)
            yield

    def _heard(self) -> list[int]:
        path = self.folder / "live"
        return [int(word) for word in path.read_text().split()] if path.exists() else []


def _parcel() -> Message:
    return Message.of(Parcel(order_id=new_id(), sale_id=7, user_id=4211, quantity=1, pad=str(time.time_ns())))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
