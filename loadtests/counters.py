"""The shop's own counters, to put beside the generator's: they must agree."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple
from urllib.parse import urlsplit

from loadtests.stack import Stack

EVERY_S = 0.5
HOUSE_ASKS_PER_S = 3  # the web asks nginx once a second what it has counted, in three questions
STALE_FOR_S = 2.0
_APPENDED = re.compile(r'^sluice_queue_appended_total\{group="orders",topic="orders\.placed"\} (\S+)$', re.MULTILINE)
_LAG = re.compile(r'^sluice_queue_lag_messages\{group="orders",topic="orders\.placed"\} (\S+)$', re.MULTILINE)
_ON_ITS_WAY = re.compile(r"^(?:sluice_queue_(?:lag|delayed)_messages\{[^}]*\}|sluice_outbox_rows) (\S+)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*\d+ \d+ (\d+)\s*$", re.MULTILINE)


class Reading(NamedTuple):
    requests: int | None
    asked: int
    at_s: float


class Taken(NamedTuple):
    """counted: requests; None: no nginx stands in front. house_at_most: of these the shop's own questions."""

    counted: int | None
    house_at_most: int

    def plus(self, other: Taken) -> Taken:
        counted = None if self.counted is None or other.counted is None else self.counted + other.counted
        return Taken(counted, self.house_at_most + other.house_at_most)

    def by_others(self, sent: int) -> int | None:
        """Those that were not the house's, if as many were sent and the rest can be the house's; all, if not."""
        if self.counted is not None and 0 <= self.counted - sent <= self.house_at_most:
            return sent
        return self.counted


@dataclass(slots=True)
class Counters:
    """url: the shop. asked: how often it was asked through its public port, which the gateway counts, too."""

    url: str
    asked: int = 0

    def appended(self) -> int | None:
        """Orders ever put into the admission log; None: /metrics is not for us."""
        return _whole(_APPENDED, self._get("/metrics"))

    def lag(self) -> int | None:
        return _whole(_LAG, self._get("/metrics"))

    def on_its_way(self) -> int | None:
        """Messages that any group has still to handle, and events not told yet."""
        found = _ON_ITS_WAY.findall(self._get("/metrics"))
        return sum(int(float(number)) for number in found) if found else None

    def requests(self) -> int | None:
        """Requests the gateway ever took, this one included; None: no nginx stands in front."""
        return _whole(_REQUESTS, self._get("/gateway-status"))

    def _get(self, path: str) -> str:
        self.asked += 1
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return text if response.status == http.HTTPStatus.OK else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def reading(self) -> Reading:
        """Where the gateway's count stands now."""
        return Reading(self.requests(), self.asked, time.monotonic())

    def taken_since(self, before: Reading) -> Taken:
        """What the gateway has counted since then, our own questions aside."""
        now = self.reading()
        counted = difference(now.requests, before.requests, less=now.asked - before.asked)
        return Taken(counted, HOUSE_ASKS_PER_S * (ceil(now.at_s - before.at_s) + 1))


@contextmanager
def watching_the_backlog(counters: Counters, seen: list[tuple[float, int]]) -> Iterator[None]:
    """Note (monotonic second, orders waiting) twice a second while inside."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(EVERY_S):
            at, lag = time.monotonic(), counters.lag()
            if lag is not None:
                seen.append((at, lag))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def units_left(stack: Stack, sale_id: int) -> int | None:
    """The units that everybody is told of. The answer is shared, and may be as old as its Cache-Control allows."""
    time.sleep(STALE_FOR_S)
    stack.get(f"/api/sales/{sale_id}")  # whoever asks first may be told of a moment ago, and has a new one fetched
    time.sleep(STALE_FOR_S)
    return stack.get(f"/api/sales/{sale_id}").get("stock")


def difference(now: int | None, before: int | None, *, less: int = 0) -> int | None:
    """How much a counter grew; None: it could not be read."""
    return None if now is None or before is None else now - before - less


def _whole(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(float(found[1])) if found else None
