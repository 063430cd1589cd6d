"""Drills of the admission path by their number in docs/drills.md, over HTTP and two web processes at least."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from functools import partial
from itertools import cycle

import psycopg
import pytest

from inventory import keys
from orders.tests.support import solve
from tests.drills.front.ask import Reply, as_shopper, order, send, together
from tests.drills.front.crowd import Lowest, cancel, crowd, sold
from tests.drills.front.front import Front
from tests.drills.harness import until

pytestmark = pytest.mark.drill


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

    told = Counter(reply.status for reply in passes)
    assert told[201] == 1
    assert told[403] >= 10, "spent already"
    assert told[201] + told[403] + told[429] == 50, "or too often: one shopper has twenty questions at once"
    earned = next(reply.body["pass"] for reply in passes if reply.status == 201)
    used = together([
        partial(order, front.house, front.doors[n % 2], sale, ada, Sale_Pass=earned) for n in range(50)
    ])  # fmt: skip
    assert len(sold(used)) == 1
    assert front.stock(sale) == 9


def test_drill_19_a_join_that_comes_ten_times_at_two_webs_is_one_place_and_who_leaves_frees_it(front: Front) -> None:
    sale, waiters, doors = front.next_sale(), front.names[:5], front.doors
    front.does("reschedule", sale=sale, room="on", turns_per_s=1, turn_s=60)
    until(lambda: front.gate(sale, "room") == "on", "the room is on")

    def line(method: str, door: int, name: str) -> Reply:
        headers = {"Cookie": f"sessionid={front.house.sessions[name]}", "Sale_Pass": front.house.passes[sale][name]}
        return send(door, method, f"/api/sales/{sale}/line", b"" if method == "POST" else None, **headers)

    told = together([partial(line, "POST", doors[n % 2], waiters[n // 10]) for n in range(50)])
    numbers = [{reply.body["number"] for reply in told[n : n + 10]} for n in range(0, 50, 10)]
    assert sorted(map(len, numbers)) == [1] * 5, "however often it comes"
    assert set.union(*numbers) == set(range(5))

    assert line("DELETE", doors[1], waiters[0]).code == "left"
    assert order(front.house, doors[0], sale, waiters[0]).code == "not_in_line"
    kept = [line("POST", door, name).body["number"] for name in waiters[1:] for door in doors]
    assert kept == [number for own in numbers[1:] for number in own for _ in doors], "nobody's got worse"
    assert line("POST", doors[0], waiters[0]).body["number"] == 5, "who comes back stands at the end"


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
    assert time.monotonic() - added_at < 2.0
    for door, said in polls.items():
        path = f"/api/sales/{sale}"
        until(lambda door=door, path=path: send(door, "GET", path).body["state"] == "open", "waiters hear of it")
        assert time.monotonic() - added_at < 2 * said["poll_after_ms"] / 1000


def test_drill_21_a_full_queue_takes_no_unit_and_who_comes_back_as_told_gets_one(front: Front) -> None:
    sale, house = front.next_sale(), front.house
    with house.held("orders"):
        house.wait_until_ended(house.hit("orders"))
        front.redis.hset(keys.gate(sale), "capacity", 3)
        told = crowd(front, sale, front.names[:10])

        assert Counter(reply.code for reply in told) == {"queued": 3, "queue_full": 7}
        waits = [int(reply.headers["Retry-After"]) for reply in told if reply.code == "queue_full"]
        assert all(1 <= seconds <= 30 for seconds in waits)
        assert front.stock(sale) == 7
    house.wait_until_well()
    late = front.names[10]
    until(lambda: order(house, front.gateway, sale, late, key="comes-back").status == 202, "there is room again")
    assert front.stock(sale) == 6


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
