"""The buyer's pages, as a browser without JavaScript sees them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Offer, Order, Transition
from orders.states import QUEUED, VOID, Status
from orders.timeline import ENDS, stages

KEY = "a-key-of-one-form"
WAY = ["created", "confirmed", "paid", "shipped", "delivered"]


def buy(client: Client, sale: int = 7, *, key: str = KEY, quantity: object = 1):
    return client.post(f"/sales/{sale}/buy", {"idempotency_key": key, "quantity": quantity})


@pytest.fixture
def shopper(client: Client, anna) -> Client:
    client.force_login(anna)
    return client


def write_order(user, *statuses: str, **facts: object) -> Order:
    """A row with the history of these statuses, a second apart."""
    placed_at = timezone.now() - timedelta(minutes=5)
    order = Order.objects.create(
        **{
            "sale_id": 7,
            "user_id": user.pk,
            "idempotency_key": str(uuid4()),
            "quantity": 1,
            "price_cents": 1999,
            "total_cents": 1999,
            "status": statuses[-1],
            "epoch": 1,
            "seq": 1,
            "placed_at": placed_at,
            **facts,
        }
    )
    for number, (before, after) in enumerate(zip(["", *statuses], statuses, strict=False)):
        Transition.objects.create(
            order_id=order.id,
            from_status=before,
            to_status=after,
            cause="test",
            at=placed_at + timedelta(seconds=number),
        )
    return order


def test_buying_leads_to_the_order_in_the_queue(shopper, open_sale, valkey, gate_key):
    open_sale(stock=10)

    answer = buy(shopper)

    assert answer.status_code == 302
    page = shopper.get(answer.url).content.decode()
    assert "You are in the queue" in page
    assert "Place 1." in page
    assert "€19.99" in page
    assert valkey.hget(gate_key, "stock") == "9"


def test_the_token_is_kept_for_the_orders_page_alone(shopper, open_sale):
    open_sale()

    answer = buy(shopper)

    order_id = answer.url.rsplit("/", 1)[1]
    assert {(morsel["path"], morsel["httponly"]) for morsel in answer.cookies.values()} == {
        (f"/orders/{order_id}", True)
    }


def test_the_same_form_sent_twice_is_one_order(shopper, open_sale, valkey, gate_key):
    open_sale(stock=10)

    assert buy(shopper).url == buy(shopper).url
    assert valkey.hget(gate_key, "stock") == "9"


def test_a_visitor_is_sent_to_log_in_and_then_to_the_sale(client, db):
    answer = buy(client)

    assert (answer.status_code, answer.url) == (302, "/login?next=/sales/7")


def test_buying_takes_a_csrf_token(anna, open_sale, valkey, gate_key):
    open_sale(stock=10)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)

    assert buy(strict).status_code == 403
    assert valkey.hget(gate_key, "stock") == "10"


def test_buying_takes_a_post(shopper):
    assert shopper.get("/sales/7/buy").status_code == 405


@pytest.mark.parametrize(
    ("sale", "status", "text"),
    [
        ({"stock": 0}, 200, "Sold out"),
        ({"starts": 60_000}, 409, "Not open yet"),
        ({"ends": -1}, 409, "This sale is over"),
    ],
)
def test_a_refusal_is_a_friendly_page_with_the_right_status(shopper, open_sale, sale, status, text):
    open_sale(**sale)

    answer = buy(shopper)

    assert answer.status_code == status
    page = answer.content.decode()
    assert f"<h1>{text}</h1>" in page
    assert 'href="/sales/7"' in page


def test_over_the_limit_is_refused(shopper, open_sale):
    open_sale(limit=1)
    buy(shopper)

    answer = buy(shopper, key="another-form")

    assert answer.status_code == 409
    assert "Leave some for the others" in answer.content.decode()


def test_a_full_queue_offers_to_send_the_same_order_again(shopper, open_sale, valkey, gate_key):
    open_sale()
    valkey.hset(gate_key, "capacity", 1)
    buy(shopper, key="first-in-the-queue")

    answer = buy(shopper)

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    page = answer.content.decode()
    assert "Try again" in page
    assert re.search(rf'name="idempotency_key"\s+value="{KEY}"', page)


def test_a_closed_gate_is_503_and_the_retry_is_the_same_order(shopper, open_sale, valkey, gate_key):
    Offer.objects.create(sale_id=7, title="Copper kettle", picture="pictures/kettle.svg", price_cents=1999)
    open_sale(stock=10)
    valkey.hset(gate_key, "open", 0)

    answer = buy(shopper)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert re.search(rf'name="idempotency_key"\s+value="{KEY}"', answer.content.decode())
    assert valkey.hget(gate_key, "stock") == "10"


def test_an_unknown_sale_is_404(shopper, valkey):
    assert buy(shopper).status_code == 404


@pytest.mark.parametrize("quantity", ["0", "-1", "1000000000", "one", "", "1.5", "9" * 5000])
def test_a_quantity_that_is_none_is_refused_and_nothing_happens(shopper, open_sale, valkey, gate_key, quantity):
    open_sale(stock=10)

    answer = buy(shopper, quantity=quantity)

    assert answer.status_code == 422
    assert "whole number" in answer.content.decode()
    assert valkey.hget(gate_key, "stock") == "10"


@pytest.mark.parametrize("key", ["", "short", "with space in it", "x" * 101, "slash/slash/slash", "newline-newline\n"])
def test_a_key_that_is_none_is_refused_and_nothing_happens(shopper, open_sale, valkey, gate_key, key):
    open_sale(stock=10)

    assert buy(shopper, key=key).status_code == 400
    assert valkey.hget(gate_key, "stock") == "10"


def test_a_price_in_the_form_changes_nothing(shopper, open_sale):
    open_sale()

    answer = shopper.post(
        "/sales/7/buy", {"idempotency_key": KEY, "quantity": 1, "price_cents": 1, "status": "paid", "user_id": 99}
    )

    assert "€19.99" in shopper.get(answer.url).content.decode()


@pytest.mark.parametrize("path", ["", "/live"])
def test_somebody_elses_order_is_404_as_if_it_were_not_there(shopper, boris, valkey, path):
    theirs = write_order(boris, "created")

    real, invented = (shopper.get(f"/orders/{key}{path}") for key in (theirs.id, uuid4()))

    assert real.status_code == invented.status_code == 404
    assert real.content == invented.content


def test_a_visitor_logs_in_to_see_an_order(client, anna):
    order = write_order(anna, "created")

    answer = client.get(f"/orders/{order.id}")

    assert (answer.status_code, answer.url) == (302, f"/login?next=/orders/{order.id}")


def test_a_changed_token_opens_nothing(client, anna):
    order = write_order(anna, "created")

    assert client.get(f"/orders/{order.id}?token=forged:token").status_code == 404


@pytest.mark.parametrize("upto", range(1, 6))
def test_the_page_asks_again_until_the_order_is_final(shopper, anna, valkey, upto):
    order = write_order(anna, *WAY[:upto])

    page = shopper.get(f"/orders/{order.id}").content.decode()
    part = shopper.get(f"/orders/{order.id}/live").content.decode()

    final = WAY[upto - 1] == "delivered"
    for html in (page, part):
        assert (f'hx-get="/orders/{order.id}/live"' in html) is not final
    assert ('http-equiv="refresh"' in page) is not final
    assert "<html" not in part


@pytest.mark.parametrize(
    ("history", "headline"),
    [
        (["created"], "We have your order"),
        (["created", "confirmed"], "It is kept for you"),
        (["created", "confirmed", "paid"], "Paid, thank you"),
        (["created", "confirmed", "paid", "shipped"], "On its way"),
        (WAY, "Delivered"),
        (["created", "rejected"], "We could not keep this for you"),
        (["created", "confirmed", "expired"], "The time to pay ran out"),
        (["created", "confirmed", "cancelled"], "Cancelled"),
    ],
)
def test_every_status_has_its_headline(shopper, anna, valkey, history, headline):
    order = write_order(anna, *history)

    assert f"<h1>{headline}</h1>" in shopper.get(f"/orders/{order.id}").content.decode()


@pytest.mark.django_db(transaction=True)
def test_who_comes_back_from_the_bank_is_not_asked_for_the_money_again(shopper, anna, valkey):
    """The buyer is faster than the bank's webhook."""
    order = write_order(anna, "created", "confirmed")

    waiting = shopper.get(f"/orders/{order.id}?bank=paid").content.decode()

    assert "<h1>Almost there</h1>" in waiting
    assert "bank=paid" in waiting[waiting.index("hx-get") :]
    assert "<h1>Almost there</h1>" in shopper.get(f"/orders/{order.id}/live?token=&bank=paid").content.decode()
    assert "<h1>It is kept for you</h1>" in shopper.get(f"/orders/{order.id}?bank=declined").content.decode()


def test_the_timeline_shows_what_was_what_ended_it_and_what_is_ahead():
    at = datetime.fromisoformat("2030-01-01T12:00:00+00:00")

    def drawn(status: str, *reached: str) -> list[tuple[str, str]]:
        from orders.selectors import OrderView, Step

        view = OrderView(uuid4(), 7, 1, status, 1, 1999, 1999, at, [Step(step, at) for step in reached])
        return [(stage.label, stage.state) for stage in stages(view)]

    assert drawn(QUEUED, QUEUED)[:2] == [("Received", "done"), ("Confirmed", "ahead")]
    assert drawn("paid", QUEUED, "created", "confirmed", "paid") == [
        ("Received", "done"),
        ("Confirmed", "done"),
        ("Paid", "done"),
        ("On its way", "ahead"),
        ("Delivered", "ahead"),
    ]
    assert drawn("expired", QUEUED, "created", "confirmed", "expired") == [
        ("Received", "done"),
        ("Confirmed", "done"),
        ("Time to pay ran out", "ended"),
    ]
    assert drawn(VOID, QUEUED) == [("Received", "done"), ("Not placed", "ended")]


def test_every_bad_end_is_drawn():
    from orders.states import TERMINAL

    assert ENDS.keys() == (TERMINAL - {Status.DELIVERED}) | {VOID}


def test_my_orders_are_mine_newest_first(shopper, anna, boris):
    Offer.objects.create(sale_id=7, title="Copper kettle", picture="pictures/kettle.svg", price_cents=1999)
    Offer.objects.create(sale_id=8, title="Blue lamp", picture="pictures/lamp.svg", price_cents=4500)
    Offer.objects.create(sale_id=9, title="Somebody's camera", picture="pictures/camera.svg", price_cents=1)
    write_order(anna, "created", placed_at=timezone.now() - timedelta(days=1))
    write_order(anna, *WAY, sale_id=8, price_cents=4500, quantity=2, total_cents=9000)
    write_order(boris, "created", sale_id=9)

    page = shopper.get("/orders/").content.decode()

    assert page.index("Blue lamp") < page.index("Copper kettle")
    assert "€90.00" in page
    assert "camera" not in page


def test_no_orders_yet_is_said_kindly(shopper):
    assert "You have not ordered anything yet." in shopper.get("/orders/").content.decode()


def test_my_orders_take_a_login(client, db):
    assert client.get("/orders/").url == "/login?next=/orders/"
