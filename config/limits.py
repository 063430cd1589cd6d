"""The gateway's two limits where no nginx stands in front, before anything else is done.

The same rates, bursts and answers as deploy/nginx, only slower: what is refused here has cost a parsed request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path
from typing import Any

from config.traffic.door import DOOR

Application = Callable[[Any, Any, Any], Awaitable[None]]

ORDERS = re.compile(r"/api/sales/[0-9]+/orders|/sales/[0-9]+/buy")
STREAMS = re.compile(r"/admin/.+/stream/")  # pages of the staff that stay open for minutes
OPEN_STREAMS = 64
FOR_PROGRAMS = re.compile(r"/(api/|(healthz|readyz|metrics)$)")
BUSY = (
    b'{"error": {"code": "busy", "message": "More shoppers than we can serve this second. '
    b'Nothing was ordered; try again."}}'
)
PAGE = (Path(__file__).resolve().parent.parent / "deploy" / "nginx" / "busy.html").read_bytes()
# Those who are refused together must not come back together.
RETRY_AFTER = (b"1", b"2", b"3", b"4", b"5")


class Limit:
    """A token bucket: at most rate * t + burst requests pass in t seconds, none of them is held back; and a bound on
    how many are under way."""

    def __init__(
        self, rate: float, burst: float, in_flight: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """rate: tokens a second. burst: tokens when full."""
        self._rate, self._burst, self._in_flight, self._clock = rate, burst, in_flight, clock
        self._tokens, self._at = burst, clock()
        self._under_way = 0

    def has_room(self) -> bool:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1 and self._under_way < self._in_flight

    def enter(self) -> None:
        self._tokens -= 1
        self._under_way += 1

    def leave(self) -> None:
        self._under_way -= 1


def keep_limits(application: Application, *, everything: Limit, orders: Limit) -> Application:
    """Refuse what is over `everything`, and orders that are over `orders`. Who is refused by one costs neither.

    An open stream counts among the streams, not among what is under way: shoppers keep their places.
    """
    afterwards = cycle(RETRY_AFTER)
    streams = Limit(OPEN_STREAMS, OPEN_STREAMS, OPEN_STREAMS)

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        stays_open = STREAMS.fullmatch(scope["path"]) is not None
        limits = (everything, *[orders] * bool(ORDERS.fullmatch(scope["path"])), *[streams] * stays_open)
        if not all(limit.has_room() for limit in limits):
            DOOR.shed += 1
            return await _refuse(scope, send, next(afterwards))
        for limit in limits:
            limit.enter()
        if stays_open:
            everything.leave()
        try:
            return await application(scope, receive, send)
        finally:
            for limit in limits[stays_open:]:
                limit.leave()

    return limited


async def _refuse(scope: Any, send: Any, after_s: bytes) -> None:
    for_programs = FOR_PROGRAMS.match(scope["path"])
    body = BUSY if for_programs else PAGE
    headers = [
        (b"content-type", b"application/json" if for_programs else b"text/html"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", after_s),
        (b"cache-control", b"no-store"),
    ]
    if not for_programs and scope["method"] == "GET":
        headers.append((b"refresh", after_s))  # a form that was sent is not sent again by itself
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
