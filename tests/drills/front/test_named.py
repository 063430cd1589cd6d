"""Drills of the admission path by their number in docs/drills.md, over HTTP and two web processes at least."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from functools import partial
from itertools import cycle

import psycopg
import pytest

from orders.tests.support import solve
from tests.drills.front.ask import Reply, as_shopper, order, send, together
from tests.drills.front.front import Front
from tests.drills.harness import until

pytestmark = pytest.mark.drill


def crowd(front: Front, sale: int, names: list[str]) -> list[Reply]:
    """All of them at once, half of them at each door; who is told to come back does, with the same key."""
    doors = front.doors

    def insist(number: int, name: str) -> Reply:
        key = str(uuid.uuid4())

        def heard() -> Reply | None:
            told = order(front.house, doors[number % len(doors)], sale, name, key=key)
            return None if told.code in {"busy", "unavailable"} else told

        return until(heard, f"{name} is heard")

    return together([partial(insist, number, name) for number, name in enumerate(names)])


def sold(replies: list[Reply]) -> list[Reply]:
    return [reply for reply in replies if reply.status == 202]


def cancel(front: Front, name: str, placed: Reply) -> None:
    """As soon as it can be paid, its buyer does not want it any more."""
    order_id = placed.body["order_id"]
    path, browser = f"/pay/{order_id}/cancel", as_shopper(front.house, name)
    until(lambda: send(front.direct, "POST", path, b"", **browser).status == 302, "it can be paid, or not")
    front.house.history.write("pay", "fail", user=name, order_id=order_id, code="cancel")


class Lowest:
    """The least that the gate's counter ever was while the context lasted."""

    def __init__(self, front: Front, sale: int) -> None:
        self.seen: list[int] = []
        self._front, self._sale, self._end = front, sale, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Lowest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.002):
            self.seen.append(self._front.stock(self._sale))


def test_drill_03_a_hundred_buyers_on_ten_units_and_the_one_that_is_cancelled_sells_again(front: Front) -> None:
    sale, names = front.next_sale(), front.names
    with Lowest(front, sale) as lowest:
        first = crowd(front, sale, names[:100])
        assert Counter(reply.code for reply in first) == {"queued": 10, "sold_out": 90}

        winner, placed = next((n, reply) for n, reply in zip(names[:100], first, strict=True) if reply.status == 202)
        cancel(front, winner, placed)
        until(lambda: front.stock(sale) == 1, "the unit is back")
        late = crowd(front, sale, names[100:110])

    assert Counter(reply.code for reply in late) == {"queued": 1, "sold_out": 9}
    assert (min(lowest.seen), front.stock(sale)) == (0, 0)


def test_drill_04_fifty_parallel_requests_of_one_user_at_two_webs_are_one_unit(front: Front) -> None:
    sale, [ada, lin, *_] = front.next_sale(), front.names

    same = together([partial(order, front.house, front.doors[n % 2], sale, ada, key="only-once") for n in range(50)])
    many = together([partial(order, front.house, front.doors[n % 2], sale, lin) for n in range(50)])

    assert {reply.status for reply in same} == {202}
    assert len({(reply.body["order_id"], reply.body["token"]) for reply in same}) == 1, "fifty equal answers"
    assert Counter(reply.code for reply in many)["queued"] == 1, "fifty keys are one unit, too: that is the limit"
    assert {reply.code for reply in many} <= {"queued", "over_limit", "rate_limited"}
    assert front.stock(sale) == 8


def test_drill_05_a_second_preheat_and_restarts_in_mid_sale_reset_nothing(front: Front) -> None:
    """The orders consumer is down meanwhile, so that what was sold is nowhere but in the gate and its log."""
    sale, house = front.next_sale(), front.house
    with house.held("orders"):
        house.wait_until_ended(house.hit("orders"))
        assert len(sold(crowd(front, sale, front.names[:6]))) == 6

        front.does("retell")
        front.does("reschedule", sale=sale, price_cents=4901)
        for name in ("inventory", "relay"):
            house.hit(name)
        front.restart(front.webs["behind"])
        until(lambda: front.gate(sale, "price_cents") == "4901", "all was told again")

        assert front.stock(sale) == 4
    house.wait_until_well()
    until(lambda: send(front.gateway, "GET", "/login").status == 200, "the other web is back")
    again = crowd(front, sale, front.names[6:20])
    assert Counter(reply.code for reply in again) == {"queued": 4, "sold_out": 10}


def test_drill_12_one_proof_at_two_webs_is_one_pass_and_one_pass_fifty_times_is_one_order(front: Front) -> None:
    sale, ada = front.next_sale(), front.names[0]
    browser = as_shopper(front.house, ada)
    challenge = send(front.direct, "GET", f"/api/sales/{sale}/challenge", **browser)
    proof = json.dumps({"altcha": solve(challenge.body)}).encode()

    passes = together([
        partial(send, front.doors[n % 2], "POST", f"/api/sales/{sale}/pass", proof,
                Content_Type="application/json", **browser)
        for n in range(50)
    ])  # fmt: skip

    assert Counter(reply.status for reply in passes) == {201: 1, 403: 49}
    earned = next(reply.body["pass"] for reply in passes if reply.status == 201)
    used = together([
        partial(order, front.house, front.doors[n % 2], sale, ada, Sale_Pass=earned) for n in range(50)
    ])  # fmt: skip
    assert len(sold(used)) == 1
    assert front.stock(sale) == 9


def test_drill_20_sold_out_clears_on_every_web_within_a_second_and_waiters_hear_of_it_within_two_polls(
    front: Front,
) -> None:
    sale, names = front.next_sale(), front.names
    assert len(sold(crowd(front, sale, names[:10]))) == 10
    late = cycle(names[10:])
    polls = {}
    for door in front.doors:
        assert order(front.house, door, sale, next(late)).code == "sold_out"
        polls[door] = send(door, "GET", f"/api/sales/{sale}").body
        assert polls[door]["state"] == "sold_out"

    front.does("add_stock", sale=sale, quantity=3)
    until(lambda: front.stock(sale) == 3, "the gate has them")
    added_at = time.monotonic()
    for door in front.doors:
        until(lambda door=door: order(front.house, door, sale, next(late)).status == 202, "it sells again")
    assert time.monotonic() - added_at < 1.0
    for door, said in polls.items():
        path = f"/api/sales/{sale}"
        until(lambda door=door, path=path: send(door, "GET", path).body["state"] == "open", "waiters hear of it")
        assert time.monotonic() - added_at < 2 * said["poll_after_ms"] / 1000


def test_drill_22_a_hot_row_that_eats_the_connections_costs_other_orders_nothing(front: Front) -> None:
    """One payment's row is locked; its buyer presses cancel until every connection of the web's pool waits for it."""
    sale, [ada, *others] = front.next_sale(), front.names
    placed = order(front.house, front.direct, sale, ada)
    order_id = placed.body["order_id"]
    pressed: list[Reply] = []

    def press() -> None:
        pressed.append(send(front.direct, "POST", f"/pay/{order_id}/cancel", b"", **as_shopper(front.house, ada)))

    with psycopg.connect(front.house.database_url) as session:
        lock = "SELECT order_id FROM payments_payment WHERE order_id = %s FOR UPDATE"
        until(lambda: session.execute(lock, [order_id]).fetchall(), "it can be paid")
        threads = [threading.Thread(target=press) for _ in range(24)]
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with psycopg.connect(front.house.database_url, autocommit=True) as other:
            until(lambda: other.execute(waiting).fetchone()[0] >= 16, "the pool is empty")

        told = [order(front.house, front.direct, sale, name) for name in others[:3]]
        page = send(front.direct, "GET", "/orders/", **as_shopper(front.house, ada))

        assert [reply.status for reply in told] == [202] * 3
        assert max(reply.took_s for reply in told) < 1.0
        assert (page.status, bool(page.headers["Retry-After"])) == (503, True), "nobody is told that it is our fault"
        session.rollback()
    for thread in threads:
        thread.join(20)
    assert {reply.status for reply in pressed} <= {302, 503}
    assert Counter(reply.status for reply in pressed)[302] >= 16
    front.house.history.write("pay", "fail", user=ada, order_id=order_id, code="cancel")
    assert send(front.direct, "GET", "/orders/", **as_shopper(front.house, ada)).status == 200


def test_drill_24_without_redis_orders_are_503_within_a_second_and_the_catalogue_is_up(front: Front) -> None:
    """The limits stay as open as they are in the processes themselves; the stock is closed."""
    sale, [ada, lin, *_] = front.next_sale(), front.names
    house = front.house
    with house.held("valkey"):
        house.wait_until_ended(house.hit("valkey"))
        for door in front.doors:
            told = order(house, door, sale, ada, key="without-redis")
            assert (told.status, told.code, bool(told.headers["Retry-After"])) == (503, "unavailable", True)
            assert told.took_s < 1.0
            for path in ("/", f"/sales/{sale}", "/login"):
                assert send(door, "GET", path).status == 200
        log_in = send(front.direct, "POST", "/login", b"username=ada&password=sluice-demo",
                      Content_Type="application/x-www-form-urlencoded", Cookie=f"csrftoken={'c' * 32}",
                      X_CSRFToken="c" * 32)  # fmt: skip
        assert log_in.status == 302, "whoever has a password may log in"
    house.wait_until_well()
    for name in (ada, lin):
        until(lambda name=name: order(house, front.gateway, sale, name, key="without-redis").status == 202, "it sells")
    assert front.stock(sale) == 8
