"""The waiting room on a sale's page, as a browser without JavaScript sees it."""

# ruff: noqa: F811  fixtures come by import

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orders import admission
from orders.tests.conftest import anna, gate_key, open_sale, valkey  # noqa: F401  fixtures of buying
from orders.waiting import waiting_of
from shop.models import Product, Sale

pytestmark = pytest.mark.django_db
ROOM = {"room": "on", "turns_per_s": 1}


@pytest.fixture
def shopper(client: Client, anna) -> Client:
    client.force_login(anna)
    return client


@pytest.fixture
def page(db: None) -> str:
    """The address of sale 7's page. Its gate is the test's to open."""
    kettle = Product.objects.create(
        title="Copper kettle", slug="kettle", blurb="It sings.", picture="pictures/kettle.svg"
    )
    now = timezone.now()
    Sale.objects.create(id=7, product=kettle, price_cents=1999, stock=10, starts_at=now - timedelta(hours=1),
                        ends_at=now + timedelta(hours=1))  # fmt: skip
    return "/sales/7"


def others_join(count: int) -> None:
    for user in range(9_000, 9_000 + count):
        admission.join_line_sync(sale_id=7, user_id=user)


def text(client: Client, page: str) -> str:
    return client.get(page).content.decode()


def test_without_a_room_there_is_only_the_button(shopper, page, open_sale):
    open_sale()
    assert "data-line=" not in text(shopper, page)
    assert "Buy now" in text(shopper, page)


def test_joining_is_one_button_and_a_reload_keeps_the_place(shopper, page, open_sale, anna):
    open_sale(**ROOM, starts=-1)
    others_join(20)
    assert "Join the line" in text(shopper, page)

    answer = shopper.post("/sales/7/join")

    assert (answer.status_code, answer.url) == (302, page)
    first = waiting_of(sale_id=7, user_id=anna.pk)
    shopper.post("/sales/7/join")
    assert waiting_of(sale_id=7, user_id=anna.pk).number == first.number
    shown = text(shopper, page)
    assert "before you" in shown
    assert "Leave the line" in shown
    assert 15 <= first.ahead <= 21
    assert first.eta_s == first.ahead


def test_before_the_start_it_says_that_nobody_is_early(shopper, page, open_sale):
    open_sale(**ROOM, starts=60_000)
    shopper.post("/sales/7/join")

    shown = text(shopper, page)

    assert "You are in" in shown
    assert "drawn at random" in shown


def test_at_its_turn_the_page_offers_the_button_and_the_order_goes_through(shopper, page, open_sale, anna):
    open_sale(room="on", turns_per_s=1000)
    shopper.post("/sales/7/join")
    assert "It is your turn" in text(shopper, page)

    bought = shopper.post("/sales/7/buy", {"idempotency_key": "a-key-of-one-form", "quantity": 1})

    assert bought.status_code == 302
    assert bought.url.startswith("/orders/")


@pytest.mark.parametrize(
    ("room", "joins", "code"),
    [("on", False, "not_in_line"), ("on", True, "not_your_turn"), ("closed", False, "room_closed")],
)
def test_who_presses_too_early_is_told_why(shopper, page, open_sale, room, joins, code):
    open_sale(room=room, turns_per_s=1, starts=-1)
    if joins:
        others_join(5)
        shopper.post("/sales/7/join")

    refused = shopper.post("/sales/7/buy", {"idempotency_key": "a-key-of-one-form", "quantity": 1})

    assert f'data-refused="{code}"' in refused.content.decode()
    assert refused.status_code in (409, 429)


def test_leaving_gives_the_place_back(shopper, page, open_sale, anna):
    open_sale(**ROOM, starts=-1)
    others_join(5)
    shopper.post("/sales/7/join")

    shopper.post("/sales/7/leave")

    assert waiting_of(sale_id=7, user_id=anna.pk).word == "not_in_line"
    assert "Join the line" in text(shopper, page)


def test_a_closed_room_says_so_and_takes_nobody(shopper, page, open_sale):
    open_sale(room="closed")
    assert "Nobody is let in right now" in text(shopper, page)
    assert 'data-refused="room_closed"' in shopper.post("/sales/7/join").content.decode()


def test_strangers_log_in_first_and_a_page_elsewhere_cannot_join_for_anybody(client, page, open_sale, anna):
    open_sale(**ROOM)
    assert client.post("/sales/7/join").url.startswith("/login")
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(anna)
    assert forged.post("/sales/7/join").status_code == 403
    assert waiting_of(sale_id=7, user_id=anna.pk).word == "not_in_line"
    assert client.get("/sales/7/join").status_code == 405


def test_without_redis_the_page_is_there(shopper, page, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert shopper.get(page).status_code == 200
    assert 'data-refused="unavailable"' in shopper.post("/sales/7/join").content.decode()
