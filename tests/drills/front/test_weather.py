"""Bad input at both doors, a wrong clock, and a spike in which everything happens at once."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle

import pytest

from inventory import keys
from tests.drills.front.ask import as_shopper, order, raw, send, together
from tests.drills.front.conftest import SCALE, SHOPPERS
from tests.drills.front.front import Front
from tests.drills.harness import until

pytestmark = pytest.mark.drill
LATER_S = 0.05  # between two attempts of somebody who insists


def everything(front: Front, sale: int) -> tuple[object, ...]:
    """What Redis holds of a sale."""
    gate, bought = front.redis.hgetall(keys.gate(sale)), front.redis.hgetall(keys.buyers(sale))
    return gate, bought, front.redis.xlen(keys.log(sale))


@pytest.mark.parametrize("door", ["direct", "gateway"])
def test_bad_bytes_are_refused_at_either_door_and_cost_the_others_nothing(
    front: Front, door: str, request: pytest.FixtureRequest
) -> None:
    sale, [ada, lin, sam, *_] = front.next_sale(), front.names
    port, house = getattr(front, door), front.house
    path = f"/api/sales/{sale}/orders"
    front.said_by_webs()
    before = everything(front, sale)

    slow = socket.create_connection(("127.0.0.1", port), timeout=8)
    request.addfinalizer(slow.close)
    slow.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nquan".encode())
    line = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    smuggled = f"{line}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /login HTTP/1.1\r\n".encode()
    rubbish = {
        "two lengths": smuggled + b"Host: localhost\r\nConnection: close\r\n\r\n",
        "64 kB of headers": f"{line}X-Large: {'x' * 64_000}\r\nContent-Length: 0\r\n\r\n".encode(),
        "a NUL in a header": f"{line}Sale-Pass: \0\r\nContent-Length: 0\r\n\r\n".encode(),
        "a negative length": f"{line}Content-Length: -1\r\n\r\n".encode(),
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }
    for name, sent in rubbish.items():
        said = raw(port, sent)
        assert said == b"" or said.split(b" ")[1][:1] == b"4", f"{name}: {said[:80]!r}"
    large = order(house, port, sale, ada, body=b" " * 10_000_000)
    assert (large.status, large.code) == (413, "body_too_large")
    mine, hers, elsewhere = house.passes[sale][ada], house.passes[sale][lin], house.passes[sale + 1][ada]
    flipped = mine[:-1] + ("0" if mine[-1] != "0" else "1")
    for stolen in (hers, flipped, elsewhere):
        told = order(house, port, sale, ada, Sale_Pass=stolen)
        assert (told.status, told.code) == (403, "bad_pass")

    assert (everything(front, sale)) == before
    bought = order(house, port, sale, sam)
    slow.close()
    assert (bought.status, bought.took_s < 1.0) == (202, True), "whoever is slow holds up nobody"
    assert front.said_by_webs() == [], "and none of it is worth a line"


def test_a_burst_on_one_connection_is_one_order(front: Front) -> None:
    sale, ada = front.next_sale(), front.names[0]
    body = '{"quantity": 1}'
    post = (
        f"POST /api/sales/{sale}/orders HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: sessionid={front.house.sessions[ada]}\r\n"
        f"Sale-Pass: {front.house.passes[sale][ada]}\r\nIdempotency-Key: only-once\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()

    for door in front.doors:
        said = raw(door, post * 100, times=100)
        assert said.count(b"HTTP/1.1 202 ") + said.count(b"HTTP/1.1 429 ") == 100
        assert said.count(b"HTTP/1.1 202 ") > 0

    assert front.stock(sale) == 9


def test_a_web_whose_clock_is_ten_minutes_off_opens_and_closes_a_sale_with_the_others(front: Front) -> None:
    """To the millisecond of the clock that decides: asked before and after each order, it says what must be told."""
    sale, names, doors = front.next_sale(), cycle(front.names), cycle((front.ahead, front.direct))
    starts = front.now_ms() + 2_000
    ends = starts + 1_000
    front.does("reschedule", sale=sale, starts_at_ms=starts, ends_at_ms=ends)
    until(lambda: front.gate(sale, "starts_at_ms") == str(starts), "the gate knows")
    seen: Counter[tuple[str, str]] = Counter()

    while seen["late", "ended"] < 10 and (before := front.now_ms()) < ends + 20_000:
        told = order(front.house, next(doors), sale, next(names), attempt=2)
        after = front.now_ms()
        when = "early" if after < starts else "late" if before >= ends else "open"
        if when != "open" or (before >= starts and after < ends):
            seen[when, told.code] += 1

    assert {code for when, code in seen if when == "early"} == {"not_started"}
    assert {code for when, code in seen if when == "late"} == {"ended"}
    assert {code for when, code in seen if when == "open"} <= {"queued", "sold_out", "over_limit"}
    assert seen["open", "queued"] >= 1


def test_many_users_with_fifty_parallel_posts_each_get_one_order_at_most(front: Front) -> None:
    sale, users = front.next_sale(), front.names[: 30 if SCALE == 1 else SHOPPERS]
    doors = cycle(front.doors)
    asks = [
        partial(order, front.house, next(doors), sale, name, key=f"one-of-{name}", attempt=number + 1)
        for name in users
        for number in range(50)
    ]

    told = list(zip([name for name in users for _ in range(50)], together(asks), strict=True))

    assert {reply.code for _, reply in told} <= {"queued", "sold_out", "busy", "rate_limited"}
    orders = {(name, reply.body["order_id"]) for name, reply in told if reply.status == 202}
    assert len(orders) == len({name for name, _ in orders}) == 10 - front.stock(sale)
    assert len(orders) == 10


class Insistent:
    """A crowd that comes back with the same key until everybody has an order, or the shop is closed."""

    def __init__(self, front: Front, sale: int, names: list[str]) -> None:
        self.front, self.sale, self.names = front, sale, names
        self.orders: dict[str, str] = {}
        self.codes: Counter[str] = Counter()
        self.closed = threading.Event()

    def buy(self, name: str) -> None:
        front, attempt = self.front, 0
        while not self.closed.wait(LATER_S):
            attempt += 1
            told = order(front.house, front.gateway, self.sale, name, key=f"spike-{name}", attempt=attempt)
            self.codes[told.code] += 1
            if told.status == 202:
                assert self.orders.setdefault(name, told.body["order_id"]) == told.body["order_id"]
                return
            if told.code in {"not_in_line", "turn_lapsed"}:
                send(front.gateway, "POST", f"/api/sales/{self.sale}/line", b"",
                     Sale_Pass=front.house.passes[self.sale][name], **as_shopper(front.house, name))  # fmt: skip


def test_a_spike_with_everything_in_it_sells_exactly_what_there_was(front: Front) -> None:
    """Stock added, the window moved, the waiting room on and off; nginx, a web and Redis killed, all while they buy."""
    sale, names = front.next_sale(), front.names[:40]
    crowd = Insistent(front, sale, names)

    def moment(deed: Callable[[], object], *, sold: int) -> None:
        until(lambda: len(crowd.orders) >= sold, lambda: f"{sold} sold: {crowd.orders} {crowd.codes}")
        deed()

    with ThreadPoolExecutor(len(names)) as threads:
        shoppers = [threads.submit(crowd.buy, name) for name in names]
        try:
            moment(partial(front.does, "add_stock", sale=sale, quantity=5), sold=10)
            moment(partial(front.restart, front.webs["behind"]), sold=15)
            front.does("add_stock", sale=sale, quantity=5)
            moment(partial(front.does, "reschedule", sale=sale, ends_at_ms=front.now_ms() + 1_800_000), sold=20)
            front.does("reschedule", sale=sale, room="on", turns_per_s=50, turn_s=5)
            until(lambda: crowd.codes["not_in_line"], "they are sent to the line")
            front.does("add_stock", sale=sale, quantity=5)
            moment(partial(front.house.hit, "valkey"), sold=25)
            front.does("reschedule", sale=sale, room="off")
            front.does("add_stock", sale=sale, quantity=5)
            if front.nginx:
                moment(partial(front.restart, front.nginx), sold=30)
            front.does("add_stock", sale=sale, quantity=3)
            moment(lambda: None, sold=33)
        finally:
            crowd.closed.set()
        for shopper in shoppers:
            shopper.result()

    front.house.wait_until_well()
    assert len(set(crowd.orders.values())) == 33
    assert front.stock(sale) == 0
    assert set(crowd.codes) <= {
        *("queued", "sold_out", "not_in_line", "not_your_turn", "turn_lapsed", "busy", "rate_limited"),
        *("unavailable", "http_0"),  # while somebody was down
    }
