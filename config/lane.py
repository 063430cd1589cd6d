"""The fast lane: a few addresses that are answered before Django's handler is entered, in the same process.

Each is defined where its app defines it and answers exactly as Django's view of it does; whatever else comes, another
method or an address that is none, goes on to Django.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from config import sale_json
from config.traffic.door import DOOR
from orders import lane as orders_lane
from orders.answers import BROKEN

logger = logging.getLogger(__name__)

Application = Callable[[Any, Any, Any], Awaitable[None]]
Lane = Callable[[int, Any, Any, Any], Awaitable[None]]  # sale id, scope, receive, send

SALES = "/api/sales/"
# (method, what follows the sale's number)
LANES: dict[tuple[str, str], Lane] = {
    ("GET", ""): sale_json.sale,
    ("POST", "/orders"): orders_lane.place_order,
    ("POST", "/line"): orders_lane.join_line,
    ("DELETE", "/line"): orders_lane.leave_line,
}
LONGEST_ID = 18  # digits; a longer one is no sale's, and Django says so


def fast_lane(django: Application) -> Application:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            DOOR.passed += 1
            path: str = scope["path"]
            if path.startswith(SALES):
                end = path.find("/", len(SALES))
                number, rest = (path[len(SALES) :], "") if end < 0 else (path[len(SALES) : end], path[end:])
                lane = LANES.get((scope["method"], rest))
                if lane is not None and len(number) <= LONGEST_ID and number.isascii() and number.isdigit():
                    try:
                        await lane(int(number), scope, receive, send)
                    except Exception:
                        logger.exception("500: %s %s", scope["method"], path, extra={"sale_id": number})
                        await orders_lane.respond(send, BROKEN)
                    return
        await django(scope, receive, send)

    return application
