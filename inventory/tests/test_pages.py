"""The public JSON and the stock bar."""

from __future__ import annotations

import pytest
from django.template import Context, RequestContext, Template
from django.test import RequestFactory
from django.urls import reverse

from inventory import gate, keys, room, selectors
from inventory.models import SaleStock

pytestmark = pytest.mark.django_db

HOUR_MS = 3_600_000
DASH = "\N{EN DASH}"
BAR = "{% load inventory_widgets %}{% stock_bar sale_id initial %}"


def bar(sale_id=7, initial=10):
    return Template(BAR).render(Context({"sale_id": sale_id, "initial": initial}))


@pytest.mark.parametrize(
    ("given", "state", "poll_after_ms"),
    [
        ({}, "open", 2_000),
        ({"stock": 0}, "sold_out", 2_000),
        ({"starts": HOUR_MS, "ends": 2 * HOUR_MS}, "upcoming", 10_000),
        ({"starts": -HOUR_MS, "ends": -1}, "ended", 30_000),
    ],
)
def test_everybody_may_ask_how_a_sale_stands(client, valkey, open_sale, given, state, poll_after_ms):
    open_sale(**given)

    response = client.get("/api/sales/7")

    said = response.json()
    assert response.status_code == 200
    assert response["Cache-Control"].startswith("public, max-age=1,")
    assert (said["sale"], said["state"], said["poll_after_ms"]) == (7, state, poll_after_ms)
    assert said["stock"] == given.get("stock", 10)
    assert said["starts_at"] < said["ends_at"]
    assert said["now"].endswith("Z")


def test_asking_for_a_sale_costs_no_database_query(client, valkey, open_sale, django_assert_num_queries):
    open_sale()
    with django_assert_num_queries(0):
        client.get("/api/sales/7")


def test_an_unknown_sale_is_404_and_one_without_its_gate_503(client, valkey):
    assert client.get("/api/sales/7").status_code == 404
    assert client.get("/api/sales/7").json()["error"]["code"] == "not_found"

    SaleStock.objects.create(sale_id=7, initial=10)

    response = client.get("/api/sales/7")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert response["Retry-After"]


def test_without_redis_the_sale_is_503_and_the_bar_a_dash(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = client.get("/api/sales/7")

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert DASH in bar()
    assert client.get(reverse("inventory:stock", args=[7])).status_code == 200


def test_a_page_of_many_sales_asks_a_silent_redis_once(settings, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = "{% load inventory_widgets %}{% for id in ids %}{% stock_bar id 10 %}{% endfor %}"

    html = Template(page).render(RequestContext(RequestFactory().get("/"), {"ids": range(1, 9)}))

    assert html.count(DASH) == 8
    assert sum("no stock bar" in message for message in caplog.messages) == 1


def test_the_bar_shows_what_is_left_and_asks_again(valkey, open_sale):
    open_sale(stock=10)
    gate.admit_sync(sale_id=7, user_id=1, idempotency_key="first-try", quantity=4)

    html = bar()

    assert "6 of 10 left" in html
    assert 'value="60"' in html
    assert 'hx-get="/sales/7/stock"' in html
    assert 'class="stock-bar"' in html


def test_the_bar_of_a_sold_out_sale_says_so_and_keeps_asking(client, valkey, open_sale):
    """A returned unit must show up."""
    open_sale(stock=0)

    html = client.get("/sales/7/stock").content.decode()

    assert "Sold out" in html
    assert "hx-get" in html


def test_the_bar_of_an_ended_sale_stops_asking(valkey, open_sale):
    open_sale(ends=-1)

    assert "hx-get" not in bar()


def test_a_mangled_gate_is_unavailable_not_a_stack_trace(client, valkey):
    valkey.set(keys.gate(7), "not a hash")

    assert client.get("/api/sales/7").status_code == 503


class TestAWaitingRoom:
    def test_before_the_start_its_draw_is_nobodys_to_know(self, client, valkey, open_sale):
        open_sale(starts=HOUR_MS, room="on", turns_per_s=250, turn_s=30)
        room.join_sync(sale_id=7, user_id=101)

        said = client.get("/api/sales/7").json()["room"]

        assert said == {
            "mode": "on",
            "serving": 0,
            "joined": 1,
            "before": 0,
            "turns_per_s": 250,
            "turn_s": 30,
            "seed": [],
        }

    def test_after_it_everybody_can_compute_the_own_place(self, client, valkey, open_sale):
        open_sale(room="on", turns_per_s=2)
        numbers = [room.join_sync(sale_id=7, user_id=user).number for user in range(1, 21)]

        said = client.get("/api/sales/7").json()["room"]

        places = [room.place_of(number, before=said["before"], seed=said["seed"]) for number in numbers]
        assert sorted(places) == list(range(20))
        assert len(said["seed"]) == room.ROUNDS
        assert 0 <= said["serving"] <= 3

    def test_without_one_nothing_is_said_of_it(self, client, valkey, open_sale):
        open_sale()
        assert "room" not in client.get("/api/sales/7").json()

    @pytest.mark.parametrize("waiting", [0, 100, 10_000, 50_000])
    def test_drill_28_however_many_wait_they_ask_no_more_than_the_shop_can_answer(self, open_sale, valkey, waiting):
        open_sale(room="on")
        line = room.Line("on", 1_000, 1_000 + waiting, 0, 500, 60, (1, 2, 3, 4, 5, 6))

        every_s = selectors.poll_after_ms(gate.read_state(7), line) / 1000

        assert waiting / every_s <= selectors.POLLS_PER_S
        assert 2 <= every_s <= 30
