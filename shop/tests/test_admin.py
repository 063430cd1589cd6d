"""The operator's forms, sent as a browser sends them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from queueing.models import OutboxMessage
from shop.events import SaleScheduled
from shop.models import Product, Sale, StockAddition, User

ADDITIONS = {
    "additions-TOTAL_FORMS": 0,
    "additions-INITIAL_FORMS": 0,
    "additions-MIN_NUM_FORMS": 0,
    "additions-MAX_NUM_FORMS": 0,
}
TERMS = {
    "price_cents": 4900,
    "per_user_limit": 1,
    "waiting_room": "off",
    "turns_per_s": 500,
    "turn_s": 60,
    "starts_at_0": "2030-05-01",
    "starts_at_1": "12:00:00",
    "ends_at_0": "2030-05-01",
    "ends_at_1": "12:30:00",
    "published": "on",
    **ADDITIONS,
}


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def names() -> list[str]:
    return list(OutboxMessage.objects.order_by("id").values_list("name", flat=True))


def test_scheduling_in_the_admin_is_told(operator, kettle):
    answer = operator.post("/admin/shop/sale/add/", TERMS | {"product": kettle.pk, "stock": 50})

    sale = Sale.objects.get()
    assert answer.status_code == 302
    assert (sale.stock, sale.price_cents) == (50, 4900)
    assert names() == ["shop.SaleScheduled"]


def test_an_impossible_sale_is_explained_in_the_form(operator, kettle):
    answer = operator.post(
        "/admin/shop/sale/add/", TERMS | {"product": kettle.pk, "stock": 50, "ends_at_1": "11:00:00"}
    )

    assert answer.status_code == 200
    assert "A sale ends after it starts." in answer.content.decode()
    assert not Sale.objects.exists()
    assert names() == []


def test_rescheduling_is_told_and_cannot_touch_the_stock(operator, make_sale):
    sale = make_sale(stock=50)

    answer = operator.post(f"/admin/shop/sale/{sale.pk}/change/", TERMS | {"price_cents": 3900, "stock": 5000})

    assert answer.status_code == 302
    sale.refresh_from_db()
    assert (sale.price_cents, sale.stock) == (3900, 50)
    assert names() == ["shop.SaleScheduled", "shop.SaleScheduled"]


def test_the_waiting_room_is_switched_while_the_sale_runs_and_told(operator, make_sale):
    sale = make_sale()

    operator.post(f"/admin/shop/sale/{sale.pk}/change/", TERMS | {"waiting_room": "on", "turns_per_s": 250})

    told = SaleScheduled.decode(OutboxMessage.objects.order_by("id").last().body.encode())
    assert (told.waiting_room, told.turns_per_s, told.turn_s) == ("on", 250, 60)


@pytest.mark.parametrize("wrong", [{"waiting_room": "ajar"}, {"turns_per_s": 0}, {"turn_s": 4}, {"turn_s": 121}])
def test_a_room_that_cannot_be_is_explained(operator, make_sale, wrong):
    sale = make_sale()

    answer = operator.post(f"/admin/shop/sale/{sale.pk}/change/", TERMS | wrong)

    assert answer.status_code == 200
    assert names() == ["shop.SaleScheduled"]


def test_add_stock_is_a_form_of_one_number(operator, make_sale):
    sale = make_sale()
    page = f"/admin/shop/sale/{sale.pk}/add-stock/"
    assert page.rstrip("/") in operator.get(f"/admin/shop/sale/{sale.pk}/change/").content.decode()
    assert "Units to add" in operator.get(page, follow=True).content.decode()

    answer = operator.post(page, {"quantity": 25})

    assert answer.url == f"/admin/shop/sale/{sale.pk}/change/"
    assert StockAddition.objects.get().quantity == 25
    assert names()[-1] == "shop.StockAdded"


@pytest.mark.parametrize("quantity", ["0", "-1", "one", "", "1000001"])
def test_a_bad_number_adds_nothing(operator, make_sale, quantity):
    sale = make_sale()

    answer = operator.post(f"/admin/shop/sale/{sale.pk}/add-stock/", {"quantity": quantity})

    assert answer.status_code == 200
    assert not StockAddition.objects.exists()


def test_adding_to_a_sale_that_is_over_is_refused_in_words(operator, make_sale):
    sale = make_sale(starts_in=timedelta(hours=-3))

    answer = operator.post(f"/admin/shop/sale/{sale.pk}/add-stock/", {"quantity": 5})

    assert answer.status_code == 200
    assert "This sale is over: nobody could buy what is added now." in answer.content.decode()
    assert not StockAddition.objects.exists()


def test_who_may_only_look_cannot_add_stock(client, make_sale, django_user_model):
    from django.contrib.auth.models import Permission

    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_sale"))
    client.force_login(clerk)
    sale = make_sale()

    assert client.post(f"/admin/shop/sale/{sale.pk}/add-stock/", {"quantity": 5}).status_code == 403
    assert not StockAddition.objects.exists()


def test_a_sale_cannot_be_deleted(operator, make_sale):
    sale = make_sale()

    assert operator.post(f"/admin/shop/sale/{sale.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Sale.objects.exists()


def test_renaming_a_product_is_told(operator, make_sale, kettle):
    make_sale()

    operator.post(
        f"/admin/shop/product/{kettle.pk}/change/",
        {"title": "Ember kettle II", "slug": kettle.slug, "blurb": kettle.blurb, "picture": kettle.picture},
    )

    assert Product.objects.get().title == "Ember kettle II"
    assert names() == ["shop.SaleScheduled", "shop.SaleScheduled"]


@pytest.mark.parametrize("model", ["user", "product", "sale"])
def test_every_list_of_the_admin_opens(operator, make_sale, model):
    make_sale()

    assert operator.get(f"/admin/shop/{model}/").status_code == 200
