"""One definition: whatever is asked, the lane and Django's view say the same bytes, status, headers and cookies."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from config import sale_json
from config.api import api
from config.tests.doors import Reply, by_django, by_the_lane, in_one_process, poll_together
from inventory import approval, room
from orders.errors import REASONS
from orders.models import Offer
from orders.tests.conftest import anna, boris, gate_key, open_sale, valkey  # noqa: F401  fixtures of buying
from orders.tests.support import pass_for

pytestmark = pytest.mark.django_db

ONE = b'{"quantity": 1}'
KEY = {"Idempotency-Key": "first-try"}


@pytest.fixture
def browser(anna):  # noqa: F811
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)
    return client


def own_pass(client: Client) -> dict[str, str]:
    return {"Sale-Pass": pass_for(client)}


def old_pass(client: Client) -> dict[str, str]:
    return {"Sale-Pass": pass_for(client, now_s=1_000_000)}


def flipped(client: Client) -> dict[str, str]:
    text = pass_for(client)
    return {"Sale-Pass": text[:-1] + ("0" if text[-1] != "0" else "1")}


# name: (sale, headers, body, the status and code that both say)
CASES: dict[str, tuple[dict, Callable | None, dict, bytes, tuple[int, str]]] = {
    "admitted": ({}, own_pass, KEY, ONE, (202, "queued")),
    "first attempt": ({}, own_pass, KEY | {"Idempotency-Attempt": "1"}, ONE, (202, "queued")),
    "two units": ({}, own_pass, KEY, b'{"quantity": 2}', (202, "queued")),
    "sold out": ({"stock": 0}, own_pass, KEY, ONE, (200, "sold_out")),
    "too few left": ({"stock": 1}, own_pass, KEY, b'{"quantity": 2}', (200, "sold_out")),
    "not started": ({"starts": 60_000}, own_pass, KEY, ONE, (409, "not_started")),
    "paused": ({"paused": 1}, own_pass, KEY, ONE, (409, "paused")),
    "ended": ({"ends": 0}, own_pass, KEY, ONE, (409, "ended")),
    "over the limit": ({"limit": 1}, own_pass, KEY, b'{"quantity": 2}', (409, "over_limit")),
    "no pass": ({}, None, KEY, ONE, (401, "no_pass")),
    "a changed pass": ({}, flipped, KEY, ONE, (403, "bad_pass")),
    "rubbish for a pass": ({}, None, KEY | {"Sale-Pass": "é" * 40}, ONE, (403, "bad_pass")),
    "a pass that is too old": ({}, old_pass, KEY, ONE, (401, "pass_expired")),
    "no key": ({}, own_pass, {}, ONE, (400, "missing_idempotency_key")),
    "a short key": ({}, own_pass, {"Idempotency-Key": "short"}, ONE, (422, "invalid")),
    "no JSON": ({}, own_pass, KEY, b"{", (400, "malformed_json")),
    "no body": ({}, own_pass, KEY, b"", (400, "malformed_json")),
    "a foreign field": ({}, own_pass, KEY, b'{"quantity": 1, "price_cents": 1}', (422, "invalid")),
    "a field twice": ({}, own_pass, KEY, b'{"quantity": 1, "quantity": 2}', (422, "invalid")),
    "deep": ({}, own_pass, KEY, b"[" * 60_000, (422, "invalid")),
    "64 kB": ({}, own_pass, KEY, b" " * 65_536, (400, "malformed_json")),
    "64 kB and a byte": ({}, own_pass, KEY, b" " * 65_537, (413, "body_too_large")),
    "a megabyte": ({}, own_pass, KEY, b" " * 1_000_000, (413, "body_too_large")),
}


@pytest.mark.parametrize("name", CASES)
def test_both_doors_say_the_same(name, browser, valkey, open_sale):  # noqa: F811
    terms, make_pass, headers, body, (status, code) = CASES[name]
    headers = {**headers, **(make_pass(browser) if make_pass else {})}
    told = []
    for door in (by_django, by_the_lane):
        valkey.flushdb()
        approval.forget()  # the other door is another process
        open_sale(**terms)
        told.append(door(browser, "POST", "/api/sales/7/orders", body, headers))

    django, lane = map(without_chance, told)
    assert django == lane
    assert lane.status == status
    assert f'"{code}"'.encode() in lane.body
    assert lane.headers["cache-control"] == "no-store"


def test_both_doors_say_the_same_of_a_key_that_was_admitted_before(browser, valkey, open_sale):  # noqa: F811
    open_sale()
    ask = (browser, "POST", "/api/sales/7/orders")
    headers = {**KEY, **own_pass(browser)}
    first = by_the_lane(*ask, ONE, headers)

    assert by_django(*ask, ONE, headers) == by_the_lane(*ask, ONE, headers) == first
    other = by_the_lane(*ask, b'{"quantity": 2}', headers)
    assert (other.status, b"idempotency_conflict" in other.body) == (409, True)
    assert by_django(*ask, b'{"quantity": 2}', headers) == other


def test_both_doors_ask_a_full_queue_and_a_lost_gate_alike(browser, valkey, open_sale, gate_key):  # noqa: F811
    ask = (browser, "POST", "/api/sales/7/orders", ONE, {**KEY, **own_pass(browser)})
    assert by_django(*ask) == by_the_lane(*ask)
    assert b"unknown_sale" in by_the_lane(*ask).body
    Offer.objects.create(sale_id=7, title="Copper kettle", picture="", price_cents=1999)
    assert by_django(*ask) == by_the_lane(*ask)
    assert by_the_lane(*ask).status == 503

    open_sale()
    valkey.hset(gate_key, "capacity", 1)
    by_the_lane(*ask[:4], {"Idempotency-Key": "another-one", **own_pass(browser)})

    full = by_the_lane(*ask)
    assert (full.status, full.headers["retry-after"]) == (429, "30"), "nobody works it off"
    assert by_django(*ask) == full


class TestTheLine:
    """Joining and leaving a waiting room, at both doors."""

    ROOM: ClassVar = {"room": "on", "turns_per_s": 1}
    CASES: ClassVar[dict[str, tuple[dict, Callable | None, tuple[int, str]]]] = {
        "joined": (ROOM, own_pass, (200, "joined")),
        "before the start": ({**ROOM, "starts": 60_000}, own_pass, (200, "joined")),
        "no room is on": ({}, own_pass, (200, "no_room")),
        "closed": ({"room": "closed"}, own_pass, (409, "room_closed")),
        "ended": ({**ROOM, "ends": 0}, own_pass, (409, "ended")),
        "no pass": (ROOM, None, (401, "no_pass")),
        "a changed pass": (ROOM, flipped, (403, "bad_pass")),
        "a pass that is too old": (ROOM, old_pass, (401, "pass_expired")),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_joining(self, name, browser, valkey, open_sale):  # noqa: F811
        terms, make_pass, (status, word) = self.CASES[name]
        headers = make_pass(browser) if make_pass else {}
        told = []
        for door in (by_django, by_the_lane):
            valkey.flushdb()
            approval.forget()  # the other door is another process
            open_sale(**terms)
            told.append(door(browser, "POST", "/api/sales/7/line", b"", headers))

        assert told[0] == told[1]
        assert told[0].status == status
        assert f'"{word}"'.encode() in told[0].body

    def test_a_refresh_keeps_the_number_and_leaving_gives_it_back(self, browser, valkey, open_sale):  # noqa: F811
        open_sale(**self.ROOM)
        ask = (browser, "POST", "/api/sales/7/line", b"", own_pass(browser))
        leave = (browser, "DELETE", "/api/sales/7/line", b"", own_pass(browser))

        assert by_the_lane(*ask) == by_django(*ask) == by_the_lane(*ask)
        assert by_the_lane(*ask).body == b'{"status":"joined","number":0}'
        assert by_the_lane(*leave).body == b'{"status":"left","number":0}'
        assert by_django(*leave).body == b'{"status":"not_in_line","number":-1}'
        assert by_django(*ask).body == b'{"status":"joined","number":1}'

    def test_who_asks_too_often_for_a_place_is_told_so_at_either_door(self, browser, valkey, open_sale, settings):  # noqa: F811
        settings.RATE_PER_USER = (0.01, 2)
        open_sale(**self.ROOM)
        ask = (browser, "POST", "/api/sales/7/line", b"", own_pass(browser))
        assert by_the_lane(*ask) == by_django(*ask)

        told = [by_django(*ask), by_the_lane(*ask)]

        assert [(each.status, b"rate_limited" in each.body) for each in told] == [(429, True)] * 2
        assert all(1 <= int(each.headers["retry-after"]) <= 100 for each in told)

    def test_an_order_waits_for_its_turn(self, browser, valkey, open_sale):  # noqa: F811
        open_sale(**self.ROOM, starts=-1)
        order = (browser, "POST", "/api/sales/7/orders", ONE, {**KEY, **own_pass(browser)})
        assert by_django(*order) == by_the_lane(*order)
        assert (by_the_lane(*order).status, b"not_in_line" in by_the_lane(*order).body) == (409, True)

        for other in range(900, 903):
            room.join_sync(sale_id=7, user_id=other)
        by_the_lane(browser, "POST", "/api/sales/7/line", b"", own_pass(browser))

        waits = by_the_lane(*order)
        assert (waits.status, b"not_your_turn" in waits.body) == (429, True)
        assert waits.headers["retry-after"] == "2"


def test_sold_out_is_remembered_for_first_attempts_and_later_ones_are_looked_up(browser, valkey, open_sale):  # noqa: F811
    """Three in one process: one who buys the last unit, one who is told so by Redis, one who is told without it."""
    open_sale(stock=1)
    mine, other, late = (
        {"Idempotency-Key": key, "Idempotency-Attempt": attempt, **own_pass(browser)}
        for key, attempt in (("first-try", "1"), ("other-try", "2"), ("later-try", "1"))
    )
    path, later = "/api/sales/7/orders", mine | {"Idempotency-Attempt": "2"}

    bought, told, remembered, again = in_one_process(
        browser, [(path, ONE, headers) for headers in (mine, other, late, later)]
    )

    assert bought.status == 202
    assert (told.status, told.body) == (remembered.status, remembered.body)
    assert again == bought


def test_without_redis_both_doors_say_503(browser, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    ask = (browser, "POST", "/api/sales/7/orders", ONE, {**KEY, **own_pass(browser)})

    lane = by_the_lane(*ask)

    assert (lane.status, b'"unavailable"' in lane.body) == (503, True)
    assert int(lane.headers["retry-after"]) >= 1
    assert by_django(*ask) == lane


def test_both_doors_show_a_sale_alike(browser, valkey, open_sale, settings):  # noqa: F811
    ask = (browser, "GET", "/api/sales/7", b"", {})
    assert by_the_lane(*ask) == by_django(*ask)
    assert by_the_lane(*ask).status == 404
    open_sale(stock=3)

    django, lane = by_django(*ask), by_the_lane(*ask)

    def without_now(reply: Reply) -> Reply:
        return reply._replace(body=re.sub(rb'"now": ?"[^"]+"', b"", reply.body))

    assert without_now(django) == without_now(lane)
    assert (lane.status, lane.headers["cache-control"]) == (200, settings.SHARED)


def test_both_doors_show_a_sale_without_redis_alike(browser, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    ask = (browser, "GET", "/api/sales/7", b"", {})

    assert by_django(*ask) == by_the_lane(*ask)
    assert by_the_lane(*ask).status == 503


def test_a_crowd_that_polls_a_sale_is_told_what_was_read_once(valkey, open_sale, monkeypatch):  # noqa: F811
    open_sale()
    looks = []
    view = sale_json.view
    monkeypatch.setattr(sale_json, "view", lambda *asked: (looks.append(asked), view(*asked))[1])

    told = async_to_sync(poll_together)("/api/sales/7", 200)

    assert len(set(told)) == len(looks) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/sales/7/orders"),
        ("HEAD", "/api/sales/7"),
        ("GET", "/api/sales/7/"),
        ("DELETE", "/api/sales/7/orders"),
        ("POST", "/api/sales/7/orders/"),
        ("POST", "/api/sales//orders"),
        ("POST", "/api/sales/x/orders"),
        ("POST", "/api/sales/-7/orders"),
        ("POST", "/api/sales/\u0667/orders"),
        ("POST", f"/api/sales/{10**30}/orders"),
        ("POST", "/api/sales/7/pass"),
        ("GET", "/"),
    ],
)
def test_whatever_is_not_the_lanes_is_djangos(browser, method, path):
    assert by_the_lane(browser, method, path, b"", {}).status == 599


def test_a_bug_is_500_without_its_trace(browser, valkey, open_sale, monkeypatch, caplog):  # noqa: F811
    open_sale()

    def stumble(_):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr("orders.tokens.sign", stumble)
    ask = (browser, "POST", "/api/sales/7/orders", ONE, {**KEY, **own_pass(browser)})

    lane = by_the_lane(*ask)

    assert (lane.status, b"internal" in lane.body, b"secret" in lane.body) == (500, True, False)
    assert by_django(*ask)[:2] == lane[:2]
    assert "a secret of the house" in caplog.text, "the operator sees it"


def test_the_openapi_document_has_every_code_that_an_order_can_meet():
    paths = api.get_openapi_schema()["paths"]
    documented = {
        name: {
            code
            for answer in paths[f"/api/sales/{{sale_id}}/{path}"][method]["responses"].values()
            for code in re.findall(r"`(\w+)`:", answer["description"])
        }
        for name, (method, path) in {
            "order": ("post", "orders"),
            "pass": ("post", "pass"),
            "challenge": ("get", "challenge"),
        }.items()
    }
    met = {code for *_, (status, code) in CASES.values() if status >= 400}

    room = {"room_closed", "not_in_line", "turn_lapsed", "not_your_turn"}
    assert (
        met | room | {"idempotency_conflict", "rate_limited", "queue_full", "unknown_sale", "unavailable"}
        == documented["order"]
    )
    assert documented["pass"] >= {"not_logged_in", "csrf_failed", "bad_proof", "unavailable", "invalid"}
    assert set(REASONS) - set().union(*documented.values()) == {"bad_token", "unknown_order", "sold_out"}
    order = paths["/api/sales/{sale_id}/orders"]["post"]
    assert {parameter["name"] for parameter in order["parameters"]} == {
        *("sale_id", "Sale-Pass", "Idempotency-Key", "Idempotency-Attempt")
    }
    for status, struct in ((202, {"order_id", "token", "place"}), (200, {"status", "left"})):
        assert struct <= set(order["responses"][status]["content"]["application/json"]["schema"]["properties"])


def without_chance(reply: Reply) -> Reply:
    """Order ids, and what is made of them and of the moment, differ from order to order."""
    text = re.sub(rb'"order_id":"[0-9a-f-]{36}","token":"[0-9a-f.]+"', b'"order_id":"","token":""', reply.body)
    headers = reply.headers | ({"location": reply.headers["location"][:-36]} if "location" in reply.headers else {})
    cookies = {
        name: {**about, "value": about["value"].count("."), "path": about["path"][:-36]}
        for name, about in reply.cookies.items()
    }
    return Reply(reply.status, text, headers, cookies)
