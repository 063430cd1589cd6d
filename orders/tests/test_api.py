"""The order API over HTTP: buying, every way of not buying, and following an order."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import connection
from django.test import Client

from orders import handlers, tokens
from orders.events import OrderPlaced
from orders.models import Offer, Order
from orders.tests.support import pass_for
from orders.tokens import Receipt
from orders.voiding import void_before

pytestmark = pytest.mark.django_db

BUY = "/api/sales/7/orders"


@pytest.fixture
def browser(anna):
    """Anna, logged in, on a client that enforces CSRF as browsers meet it."""
    return logged_in(anna)


def logged_in(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.cookies["csrftoken"] = "c" * 32
    return client


def buy(client, body=b'{"quantity": 1}', *, key="first-try", sale=7, **headers):
    headers |= {"Idempotency-Key": key} if key is not None else {}
    if "Sale-Pass" not in headers:
        headers["Sale-Pass"] = pass_for(client, sale)
    return client.post(f"/api/sales/{sale}/orders", body, content_type="application/json", headers=headers)


def code(response):
    said = response.json()
    if response.status_code == 200:
        return 200, said["status"]
    assert set(said) == {"error"}
    assert set(said["error"]) == {"code", "message"}
    assert "Traceback" not in said["error"]["message"]
    return response.status_code, said["error"]["code"]


def everything(valkey):
    """All that Redis and PostgreSQL hold of orders, to see that nothing changed."""
    read = {"hash": valkey.hgetall, "stream": valkey.xrange, "set": valkey.smembers, "string": valkey.get}
    return {key: read[valkey.type(key)](key) for key in sorted(valkey.keys())}, list(Order.objects.values())


def log_of(valkey):
    [log] = valkey.keys("q:*:log")
    return log


def into_rows(valkey):
    """What the consumer will do: rows for what is in the admission log."""
    handlers.placed([OrderPlaced.decode(fields["b"].encode()) for _, fields in valkey.xrange(log_of(valkey))])


def test_buying_is_202_with_an_order_a_token_and_a_place(browser, valkey, open_sale, anna):
    open_sale()

    response = buy(browser, b'{"quantity": 2}')

    said = response.json()
    assert response.status_code == 202
    assert (said["status"], said["place"], said["quantity"]) == ("queued", 1, 2)
    assert (said["price_cents"], said["total_cents"]) == (1999, 3998)
    receipt = tokens.read(said["token"])
    assert (str(receipt.order_id), receipt.user_id, receipt.sale_id) == (said["order_id"], anna.pk, 7)
    assert response["Location"] == f"/api/orders/{said['order_id']}"


def test_the_same_key_gives_the_same_answer(browser, valkey, open_sale):
    open_sale()
    first = buy(browser)
    before = everything(valkey)

    again = buy(browser)

    assert again.status_code == 202
    assert again.content == first.content
    assert everything(valkey) == before


GARBLED = [
    (b"{", (400, "malformed_json")),
    (b"", (400, "malformed_json")),
    (b"\xff\xfe", (400, "malformed_json")),
    (b'{"quantity": NaN}', (400, "malformed_json")),
    (b"quantity=1", (400, "malformed_json")),
    (b"[" * 60_000, (422, "invalid")),
    (b"null", (422, "invalid")),
    (b"[]", (422, "invalid")),
    (b"{}", (422, "invalid")),
    (b'{"quantity": 0}', (422, "invalid")),
    (b'{"quantity": -1}', (422, "invalid")),
    (b'{"quantity": 101}', (422, "invalid")),
    (b'{"quantity": 1000000000}', (422, "invalid")),
    (b'{"quantity": ' + b"9" * 500 + b"}", (422, "invalid")),
    (b'{"quantity": "one"}', (422, "invalid")),
    (b'{"quantity": "1"}', (422, "invalid")),
    (b'{"quantity": true}', (422, "invalid")),
    (b'{"quantity": 1.0}', (422, "invalid")),
    (b'{"quantity": null}', (422, "invalid")),
    (b'{"quantity": 1, "quantity": 2}', (422, "invalid")),
    (b'{"quantity": 1, "quantit\\u0079": 1}', (422, "invalid")),
    (b'{"quantity": 1, "price_cents": 1}', (422, "invalid")),
    (b'{"quantity": 1, "status": "paid"}', (422, "invalid")),
    (b'{"quantity": 1, "user_id": 2}', (422, "invalid")),
    (b'{"quantity": 1, "padding": "' + b"x" * 1_000_000 + b'"}', (413, "body_too_large")),
    (b" " * 70_000, (413, "body_too_large")),
]


@pytest.mark.parametrize(("body", "expected"), GARBLED, ids=lambda value: repr(value)[:40])
def test_a_bad_body_is_a_clear_error_and_changes_nothing(browser, valkey, open_sale, body, expected):
    open_sale()
    before = everything(valkey)

    assert code(buy(browser, body)) == expected
    assert everything(valkey) == before


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, (400, "missing_idempotency_key")),
        ("", (400, "missing_idempotency_key")),
        ("short", (422, "invalid")),
        ("x" * 101, (422, "invalid")),
        ("with spaces", (422, "invalid")),
        ("semi;colon", (422, "invalid")),
        ("schlüssel-eins", (422, "invalid")),
    ],
)
def test_a_bad_idempotency_key_is_a_clear_error(browser, valkey, open_sale, key, expected):
    open_sale()
    before = everything(valkey)

    assert code(buy(browser, key=key)) == expected
    assert everything(valkey) == before


@pytest.mark.parametrize(
    ("sale", "body", "expected"),
    [
        ({"starts": 60_000}, b'{"quantity": 1}', (409, "not_started")),
        ({"ends": 0}, b'{"quantity": 1}', (409, "ended")),
        ({"stock": 0}, b'{"quantity": 1}', (200, "sold_out")),
        ({"stock": 2}, b'{"quantity": 3}', (200, "sold_out")),
        ({"limit": 2}, b'{"quantity": 3}', (409, "over_limit")),
    ],
)
def test_a_refusal_of_the_gate_says_why_and_changes_nothing(browser, valkey, open_sale, sale, body, expected):
    open_sale(**sale)
    before = everything(valkey)

    assert code(buy(browser, body)) == expected
    assert everything(valkey) == before


def test_another_body_with_the_same_key_is_a_conflict(browser, valkey, open_sale):
    open_sale()
    buy(browser)
    before = everything(valkey)

    assert code(buy(browser, b'{"quantity": 2}')) == (409, "idempotency_conflict")
    assert everything(valkey) == before


def test_drill_21_a_full_queue_is_429_says_when_to_come_back_and_deducts_nothing(browser, valkey, open_sale, gate_key):
    open_sale()
    valkey.hset(gate_key, "capacity", 1)
    buy(browser)
    before = everything(valkey)

    response = buy(browser, key="second-try")

    assert code(response) == (429, "queue_full")
    assert 1 <= int(response["Retry-After"]) <= 30
    assert everything(valkey) == before


@pytest.mark.parametrize("sale", [7, 0, 10**30])
def test_an_unknown_sale_is_404(browser, valkey, sale):
    assert code(buy(browser, sale=sale)) == (404, "unknown_sale")
    assert everything(valkey) == ({}, [])


@pytest.mark.parametrize("path", ["/api/sales/x/orders", "/api/nothing", "/api/orders/7", "/api/sales/-1"])
def test_a_path_that_leads_nowhere_is_404_in_the_same_shape(browser, path):
    assert code(browser.get(path)) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_405_in_the_same_shape(browser, method):
    response = getattr(browser, method)(BUY)

    assert code(response) == (405, "method_not_allowed")
    assert response["Allow"] == "POST"


def test_a_known_sale_without_its_gate_is_503(browser, valkey):
    """Redis lost its data: the sale is rebuilt, nobody is told that it does not exist."""
    Offer.objects.create(sale_id=7, title="Copper kettle", picture="", price_cents=1999)

    response = buy(browser)

    assert code(response) == (503, "unavailable")
    assert response["Retry-After"]


def test_without_a_pass_nothing_is_read(browser, valkey, open_sale):
    open_sale()
    before = everything(valkey)

    for client in (Client(), browser):
        assert code(client.post(BUY, b"{", content_type="application/json")) == (401, "no_pass")
    assert everything(valkey) == before


def test_a_session_and_its_csrf_token_alone_do_not_buy(browser, valkey, open_sale):
    """Another site can make a browser send its cookies and a form, not a header of ours."""
    open_sale()
    before = everything(valkey)

    response = browser.post(
        BUY,
        b'{"quantity": 1}',
        content_type="text/plain",
        headers={"X-CSRFToken": "c" * 32, "Idempotency-Key": "first-try"},
    )

    assert code(response) == (401, "no_pass")
    assert everything(valkey) == before


def test_a_pass_without_its_session_does_not_buy(browser, boris, valkey, open_sale):
    open_sale()
    before = everything(valkey)
    stolen = {"Sale-Pass": pass_for(browser)}

    for thief in (Client(), logged_in(boris)):
        if "sessionid" not in thief.cookies:
            thief.cookies["sessionid"] = "x" * 32
        assert code(buy(thief, **stolen)) == (403, "bad_pass")
    browser.cookies["sessionid"] = "y" * 32
    assert code(buy(browser, **stolen)) == (403, "bad_pass")
    assert everything(valkey) == before


def test_a_pass_of_another_sale_does_not_buy(browser, valkey, open_sale):
    open_sale()
    before = everything(valkey)

    assert code(buy(browser, **{"Sale-Pass": pass_for(browser, 8)})) == (403, "bad_pass")
    assert everything(valkey) == before


def test_a_pass_that_is_too_old_buys_nothing_and_still_shows_what_it_bought(browser, valkey, open_sale):
    """The lookup precedes every other check."""
    open_sale()
    old = {"Sale-Pass": pass_for(browser, now_s=1_000_000)}
    assert code(buy(browser, **old)) == (401, "pass_expired")
    first = buy(browser)
    before = everything(valkey)

    again = buy(browser, **old)

    assert (again.status_code, again.json()) == (202, first.json())
    assert code(buy(browser, b'{"quantity": 2}', **old)) == (409, "idempotency_conflict")
    assert code(buy(browser, key="another-key", **old)) == (401, "pass_expired")
    assert everything(valkey) == before
    into_rows(valkey)
    valkey.flushdb()
    assert buy(browser, **old).json() == first.json() | {"place": 0}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=quantity\r\n\r\n1\r\n--x--"),
        ("multipart/form-data", b"{}"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Transfer-Encoding: base64"),
        ("application/x-www-form-urlencoded", b"quantity=1"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2_000))),
    ],
)
def test_a_form_is_no_order(browser, valkey, open_sale, kind, body):
    open_sale()
    headers = {"Idempotency-Key": "first-try", "Sale-Pass": pass_for(browser)}
    before = everything(valkey)

    response = browser.generic("POST", BUY, body, kind, headers=headers)

    assert code(response) in {(400, "malformed_json"), (422, "invalid")}
    assert everything(valkey) == before


def test_without_redis_it_is_503_and_the_buyer_may_ask_again(browser, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = buy(browser)

    assert code(response) == (503, "unavailable")
    assert int(response["Retry-After"]) >= 1


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_who_has_a_pass_still_buys(browser, valkey, open_sale):
    """Who is asking is in the pass; the order waits in the queue. Only those without one wait for PostgreSQL."""
    open_sale()
    headers = {"Sale-Pass": pass_for(browser)}
    home = {name: connection.settings_dict[name] for name in ("HOST", "OPTIONS")}
    connection.close()
    connection.close_pool()
    connection.settings_dict.update(HOST="/nowhere", OPTIONS=home["OPTIONS"] | {"pool": False})
    try:
        first = buy(browser, **headers)
        assert first.status_code == 202
        response = browser.get("/api/sales/7/challenge")
        assert code(response) == (503, "unavailable")
        assert response["Retry-After"]
    finally:
        connection.settings_dict.update(home)

    assert buy(browser).json() == first.json()


def test_a_mangled_gate_is_503_and_nothing_is_half_done(browser, valkey, open_sale, gate_key):
    open_sale()
    valkey.set(f"{gate_key}:buyers", "not a hash")
    before = everything(valkey)

    assert code(buy(browser)) == (503, "unavailable")
    assert everything(valkey) == before


def test_an_answer_outlives_redis(browser, valkey, open_sale):
    """The sale is over and its keys are gone; PostgreSQL's unique row still knows who bought what."""
    open_sale()
    first = buy(browser, b'{"quantity": 2}').json()
    into_rows(valkey)
    valkey.flushdb()

    again = buy(browser, b'{"quantity": 2}')

    assert again.status_code == 202
    assert again.json() == first | {"place": 0}
    assert code(buy(browser, b'{"quantity": 1}')) == (409, "idempotency_conflict")
    assert code(buy(browser, key="another-key")) == (404, "unknown_sale")


def test_an_answer_is_given_after_the_end_of_the_sale_when_redis_forgot_it(browser, valkey, open_sale, gate_key):
    open_sale()
    first = buy(browser).json()
    into_rows(valkey)
    valkey.hset(gate_key, "ends_at_ms", 1)
    valkey.delete(f"{gate_key}:answers")

    assert buy(browser).json()["order_id"] == first["order_id"]
    assert code(buy(browser, key="another-key")) == (409, "ended")


# Following an order


def follow(client, order_id, token=None, *, query=None):
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return client.get(f"/api/orders/{order_id}", query or {}, headers=headers)


@pytest.fixture
def bought(browser, valkey, open_sale):
    open_sale()
    return buy(browser, b'{"quantity": 2}').json()


def test_a_queued_order_is_shown_before_it_has_a_row(bought, valkey):
    response = follow(Client(), bought["order_id"], bought["token"])

    said = response.json()
    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store"
    assert (said["status"], said["place"], said["total_cents"]) == ("queued", 1, 3998)
    assert [step["status"] for step in said["timeline"]] == ["queued"]


def test_the_place_moves_up_as_others_are_worked_off(bought, boris, valkey):
    other = buy(logged_in(boris)).json()
    assert other["place"] == 2
    valkey.hset(log_of(valkey).replace(":log", ":orders"), "acked", 1)

    assert follow(Client(), other["order_id"], other["token"]).json()["place"] == 1


def test_the_browser_that_bought_sees_its_order_without_showing_a_token(bought, browser):
    assert browser.get(f"/orders/{bought['order_id']}").status_code == 200


def test_the_owners_session_is_enough_once_there_is_a_row(bought, anna, valkey):
    other_device = logged_in(anna)
    assert code(follow(other_device, bought["order_id"])) == (404, "unknown_order")

    into_rows(valkey)

    said = follow(other_device, bought["order_id"]).json()
    assert (said["status"], [step["status"] for step in said["timeline"]]) == ("created", ["queued", "created"])


def test_a_token_in_the_link_works_too(bought):
    assert follow(Client(), bought["order_id"], query={"token": bought["token"]}).status_code == 200


def test_a_confirmed_order_says_where_to_pay_and_until_when(bought, browser, valkey):
    into_rows(valkey)
    Order.objects.update(status="confirmed", due_at="2030-01-01T00:00:00Z")

    said = follow(browser, bought["order_id"]).json()

    assert said["pay_url"] == f"/pay/{bought['order_id']}"
    assert said["due_at"] == "2030-01-01T00:00:00.000Z"


def test_an_order_lost_with_rediss_data_is_void(bought):
    """The gate lives its second life and the order has no row: it was not placed, nothing was charged."""
    void_before(sale_id=7, epoch=2, spared=[])

    said = follow(Client(), bought["order_id"], bought["token"]).json()

    assert said["status"] == "void"
    assert "place" not in said


def test_a_queued_order_is_shown_without_a_place_while_redis_is_away(bought, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    said = follow(Client(), bought["order_id"], bought["token"]).json()

    assert said["status"] == "queued"
    assert "place" not in said


@pytest.mark.parametrize("has_row", [False, True])
def test_a_stranger_learns_nothing(bought, boris, valkey, has_row):
    if has_row:
        into_rows(valkey)
    stranger, nobody = logged_in(boris), uuid.uuid4()
    others = buy(stranger).json()

    for order_id in (bought["order_id"], nobody):
        assert code(follow(Client(), order_id)) == (401, "not_logged_in")
        assert code(follow(Client(), order_id, "forged")) == (401, "bad_token")
        assert code(follow(Client(), order_id, others["token"])) == (404, "unknown_order")
        assert code(follow(stranger, order_id)) == (404, "unknown_order")
        assert code(follow(stranger, order_id, others["token"])) == (404, "unknown_order")
        assert code(follow(stranger, order_id, bought["token"])) == (404, "unknown_order")
    assert follow(stranger, bought["order_id"]).content == follow(stranger, nobody).content


def test_a_true_token_that_names_the_wrong_buyer_opens_nothing(bought, boris, valkey):
    into_rows(valkey)
    receipt = tokens.read(bought["token"])
    spliced = tokens.sign(
        Receipt(receipt.order_id, boris.pk, 7, receipt.epoch, receipt.seq, 2, 1999, receipt.placed_at_ms)
    )

    assert code(follow(Client(), bought["order_id"], spliced)) == (404, "unknown_order")


def test_a_browser_handed_on_does_not_show_the_last_buyers_order(bought, browser, boris):
    browser.logout()
    assert code(follow(browser, bought["order_id"])) == (401, "not_logged_in")

    browser.force_login(boris)

    assert code(follow(browser, bought["order_id"])) == (404, "unknown_order")


def test_a_bug_is_500_without_its_trace(browser, valkey, open_sale, monkeypatch, caplog):
    open_sale()

    def stumble(_):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(tokens, "sign", stumble)
    response = buy(browser)

    assert code(response) == (500, "internal")
    assert "secret" not in response.content.decode()
    assert "a secret of the house" in caplog.text, "the operator sees it"


def test_the_body_on_record_is_the_event_orders_reads(bought, valkey):
    [(_, fields)] = valkey.xrange(log_of(valkey))
    placed = OrderPlaced.decode(fields["b"].encode())

    assert fields["n"] == OrderPlaced.wire
    assert json.loads(placed.encode()) == json.loads(fields["b"])
    assert placed.order_id == bought["order_id"]
