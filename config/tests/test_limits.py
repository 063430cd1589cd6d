"""The two limits where no nginx runs, on a clock of our own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from config.limits import OPEN_STREAMS, PAGE, Limit, keep_limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def shop(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Door:
    """100 requests a second of which 50 are orders; 20 and 10 at once; three orders under way."""

    def __init__(self, shop: Any = shop) -> None:
        self.clock = Clock()
        self.application = keep_limits(
            shop,
            everything=Limit(rate=100, burst=20, in_flight=99, clock=self.clock),
            orders=Limit(rate=50, burst=10, in_flight=3, clock=self.clock),
        )

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "path": path, "method": method}
        asyncio.run(self.application(scope, None, send))
        return said[0]["status"], dict(said[0]["headers"]), said[1]["body"]

    def statuses(self, path: str, times: int) -> Counter[int]:
        return Counter(self.ask(path)[0] for _ in range(times))


@pytest.fixture
def door() -> Door:
    return Door()


def test_in_any_time_no_more_pass_than_rate_times_time_and_the_burst(door: Door) -> None:
    passed = 0
    for _ in range(300):
        passed += door.statuses("/login", 3)[200]
        door.clock.now += 0.01
        assert passed <= 100 * door.clock.now + 20
    assert passed >= 100 * door.clock.now, "and all of these do"


@pytest.mark.parametrize("path", ["/api/sales/7/orders", "/sales/7/buy"])
def test_orders_have_the_smaller_limit_and_a_refused_one_costs_the_others_nothing(door: Door, path: str) -> None:
    assert door.statuses(path, 1_000) == {200: 10, 429: 990}
    assert door.statuses("/login", 1_000) == {200: 10, 429: 990}


def test_programs_are_told_in_the_apis_shape_and_not_all_to_come_at_once(door: Door) -> None:
    door.statuses("/login", 20)

    status, headers, body = door.ask("/api/sales/7/orders", "POST")
    again = {door.ask("/api/sales/7/orders", "POST")[1][b"retry-after"] for _ in range(50)}

    assert (status, headers[b"content-type"]) == (429, b"application/json")
    assert json.loads(body)["error"]["code"] == "busy"
    assert int(headers[b"content-length"]) == len(body)
    assert len(again) == 5


def test_people_see_a_page_that_comes_back_by_itself_unless_they_sent_a_form(door: Door) -> None:
    door.statuses("/login", 20)

    status, headers, body = door.ask("/sales/7")
    assert (status, headers[b"content-type"], body) == (429, b"text/html", PAGE)
    assert headers[b"refresh"] == headers[b"retry-after"]
    assert b"refresh" not in door.ask("/sales/7/buy", "POST")[1]
    assert door.ask("/sales/7", "HEAD")[2] == b""


def test_a_clock_that_stands_still_fills_nothing(door: Door) -> None:
    door.statuses("/login", 20)

    assert door.statuses("/login", 5) == {429: 5}


def test_a_shop_that_is_slower_than_its_rate_is_not_given_a_queue() -> None:
    said: list[int] = []

    async def send(message: Any) -> None:
        said.append(message.get("status", 0))

    async def crowd() -> Counter[int]:
        closing_time = asyncio.Event()

        async def slow_shop(scope: Any, receive: Any, send: Any) -> None:
            await closing_time.wait()
            await shop(scope, receive, send)

        door = Door(slow_shop)
        order = {"type": "http", "path": "/api/sales/7/orders", "method": "POST"}
        asked = [asyncio.create_task(door.application(order, None, send)) for _ in range(8)]
        await asyncio.sleep(0)
        closing_time.set()
        await asyncio.gather(*asked)
        await door.application(order, None, send)  # those have left: there is room again
        return Counter(status for status in said if status)

    assert asyncio.run(crowd()) == {200: 3 + 1, 429: 5}


def test_open_pages_of_the_staff_have_a_bound_of_their_own_and_leave_the_shoppers_their_places() -> None:
    async def story() -> list[int]:
        stay = asyncio.Event()
        answers: list[int] = []

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].endswith("/stream/"):
                await stay.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        clock = Clock()
        everything = Limit(rate=1, burst=500, in_flight=1, clock=clock)
        door = keep_limits(slow, everything=everything, orders=everything)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        def ask(path: str) -> Any:
            return door({"type": "http", "path": path, "method": "GET"}, None, send)

        open_pages = [asyncio.create_task(ask("/admin/queueing/queue/stream/")) for _ in range(OPEN_STREAMS + 2)]
        await asyncio.sleep(0)
        await ask("/login")
        stay.set()
        await asyncio.gather(*open_pages)
        return answers

    answers = asyncio.run(story())
    assert answers[:3] == [429, 429, 200], (
        "the two that were too many; then a shopper, though one only may be under way"
    )
    assert answers[3:] == [200] * OPEN_STREAMS
