"""Once a second, what this process has counted goes to Redis: one small record, by a thread of its own.

While Redis is away the records wait, at most two minutes of them; what is older is dropped, and the next record says
how many seconds that were. A record that was written and not confirmed is written again, and counts once
(lua/flush.lua). What a process counted in the second in which it was killed is lost.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from redis.exceptions import RedisError

from config.traffic import keys
from config.traffic.gateway import Counted, Gateway, GatewaySilent
from config.traffic.second import Meter, Second, totals_of
from queueing.console.link import client as console_client

logger = logging.getLogger(__name__)

MOST_WAITING = 120  # seconds
LOST = "lost_seconds"
QUIET_AFTER_S = 3  # without a request, nothing is written
_FLUSH = (Path(__file__).parent / "lua" / "flush.lua").read_text()
_encode = msgspec.msgpack.Encoder().encode


class Sample(NamedTuple):
    """What the gateway said, and how often it was asked for that."""

    at_ms: int
    counted: Counted
    asked: int


class Record(NamedTuple):
    at_s: int
    second: Second
    sample: Sample | None


class Flusher:
    """clock: seconds that only grow. Redis's own, seen at each flush, makes all processes mean the same second."""

    def __init__(
        self,
        meter: Meter,
        gateway: Gateway | None = None,
        *,
        client: Callable[[], Any] = console_client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meter, self._gateway, self._client, self._clock = meter, gateway, client, clock
        self._process = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._waiting: deque[Record] = deque()
        self._ahead: float | None = None  # of Redis's clock
        self._asked = self._quiet_for = self._closed = 0
        self._strangers = -1
        self._is_away = False

    def now(self) -> float:
        """By Redis's clock, as far as this process knows it."""
        return self._clock() + (time.time() - self._clock() if self._ahead is None else self._ahead)

    def turn(self) -> bool:
        """Close the second that is over, and write down all that wait. Whether all could be."""
        self._close(int(self.now()) - 1)
        return self._write()

    def run(self) -> None:
        """A turn after each second, for ever."""
        while True:
            time.sleep(1.02 - self.now() % 1)
            try:
                self.turn()
            except Exception:
                logger.exception("a second of counts broke")

    def _close(self, at_s: int) -> None:
        second, sample = self._meter.read(), self._sample()
        if not second and not self._is_news(sample):
            return
        self._closed = max(at_s, self._closed + 1)  # a clock that is set back opens no second again
        self._waiting.append(Record(self._closed, second, sample))
        if sample is not None:
            self._asked = 0
        if len(self._waiting) > MOST_WAITING:
            lost = 1 + self._waiting.popleft().second.counts.get(LOST, 0)
            oldest = self._waiting[0]
            told = {**oldest.second.counts, LOST: lost + oldest.second.counts.get(LOST, 0)}
            self._waiting[0] = oldest._replace(second=msgspec.structs.replace(oldest.second, counts=told))

    def _sample(self) -> Sample | None:
        if self._gateway is None:
            return None
        before = self._gateway.asked
        try:
            counted = self._gateway.read()
        except GatewaySilent:
            return None
        finally:
            self._asked += self._gateway.asked - before
        self._gateway.cut()
        return Sample(round(self.now() * 1000), counted, self._asked)

    def _is_news(self, sample: Sample | None) -> bool:
        """Whether anybody but us asked anything of the gateway, now or a moment ago."""
        if sample is None or self._gateway is None:
            return False
        strangers = sample.counted.requests - self._gateway.asked
        self._quiet_for = self._quiet_for + 1 if strangers == self._strangers else 0
        self._strangers = strangers
        return self._quiet_for <= QUIET_AFTER_S

    def _write(self) -> bool:
        if not self._waiting:
            return True
        records = tuple(self._waiting)
        try:
            with self._client().pipeline(transaction=False) as pipe:
                for record in records:
                    names = [keys.minute(record.at_s), keys.TOTALS, keys.GATEWAY]
                    pipe.eval(_FLUSH, len(names), *names, *self._arguments(record))
                pipe.time()
                *_, (seconds, microseconds) = pipe.execute()
        except (RedisError, OSError) as error:
            if not self._is_away:
                logger.warning("the traffic's counts wait for Redis: %s", error)
            self._is_away = True
            return False
        self._is_away = False
        self._ahead = seconds + microseconds / 1e6 - self._clock()
        for _ in records:
            self._waiting.popleft()
        return True

    def _arguments(self, record: Record) -> list[str | int | bytes]:
        packed = _encode(record.second) if record.second else b""
        known: list[str | int | bytes] = [record.at_s, self._process, packed, keys.KEPT_S + 60]
        if record.sample is None or self._gateway is None:
            known += ["", 0, -1, -1, -1, 0]
        else:
            at_ms, counted, asked = record.sample
            known += [self._gateway.name, at_ms, *(-1 if number is None else number for number in counted), asked]
        for name, number in totals_of(record.second).items():
            known += [name, number]
        return known


def start(gateway: str) -> None:
    """Flush this process's counts from now on. gateway: where nginx tells what it counted; '': nowhere."""
    flusher = Flusher(Meter(), Gateway(gateway) if gateway else None)
    threading.Thread(target=flusher.run, name="traffic", daemon=True).start()
