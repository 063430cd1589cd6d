from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from queueing.models import OutboxMessage
from shop import demo
from shop.models import Product, Sale, SaleState, User


def run(*words: object, **options: object) -> str:
    out = StringIO()
    call_command(*map(str, words), stdout=out, **options)
    return out.getvalue()


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Product, Sale, User, OutboxMessage))


def test_demo_stocks_the_shelves_once(db, tmp_path):
    file = tmp_path / "admin_password"
    run("demo", admin_password_file=file)
    first = counts()

    run("demo", admin_password_file=file)

    assert counts() == first == (6, 5, 6, 5)
    now = timezone.now()
    states = sorted(sale.state_at(now) for sale in Sale.objects.all())
    assert states == [
        SaleState.ENDED,
        SaleState.OPEN,
        SaleState.OPEN,
        SaleState.UPCOMING,
        SaleState.UPCOMING,
    ]


def test_demo_fills_the_shelves_again_when_its_sales_are_over(db):
    now = timezone.now()
    demo.stock_the_shelves(now=now)

    again = demo.stock_the_shelves(now=now + timedelta(days=3))

    assert sorted(sale.product.slug for sale in again) == sorted(
        slot.slug for slot in demo.SLOTS if slot.slug != "hush-headphones"
    )


def test_every_demo_picture_is_there():
    for good in demo.GOODS:
        assert (settings.BASE_DIR / "config" / "static" / good.picture).read_text().startswith("<svg")


def test_demo_shoppers_are_ordinary_and_can_log_in(client, db):
    run("demo")

    assert not User.objects.filter(is_staff=True).exists()
    for name in ("ada", "lin", "sam"):
        assert client.login(username=name, password=demo.SHOPPERS_PASSWORD)


def test_the_operators_password_is_random_private_and_kept(client, db, tmp_path: Path):
    file = tmp_path / "admin_password"
    run("demo", admin_password_file=file)

    password = file.read_text().strip()
    assert len(password) >= 20
    assert file.stat().st_mode & 0o777 == 0o600
    for name in ("admin", "operator", "reader"):
        assert client.login(username=name, password=password)
    assert [user.username for user in User.objects.filter(is_superuser=True)] == ["admin"]
    roles = User.objects.filter(is_staff=True, is_superuser=False).values_list("username", "groups__name")
    assert set(roles) == {("operator", "operator"), ("reader", "read-only")}

    run("demo", admin_password_file=file)
    assert file.read_text().strip() == password

    file.unlink()
    run("demo", admin_password_file=file)
    assert file.read_text().strip() != password
    for name in ("admin", "operator", "reader"):
        assert client.login(username=name, password=file.read_text().strip())


def test_a_password_file_that_cannot_be_made_is_said(db, tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        run("demo", admin_password_file=tmp_path / "missing" / "admin_password")


def test_an_empty_password_file_is_refused(db, tmp_path: Path):
    file = tmp_path / "admin_password"
    file.touch()

    with pytest.raises(OSError, match="is empty: delete it"):
        run("demo", admin_password_file=file)

    assert not User.objects.filter(username="admin").exists()


def test_a_crowd_shares_one_password_and_can_come_again(client, db):
    first = json.loads(run("shoppers", "--count", 3, "--json"))
    second = json.loads(run("shoppers", "--count", 5, "--json"))

    assert first["usernames"] == ["load-000001", "load-000002", "load-000003"]
    assert User.objects.filter(is_active=True).count() == len(second["usernames"]) == 5
    assert first["password"] != second["password"]
    assert client.login(username="load-000001", password=second["password"])
    assert client.login(username="load-000005", password=second["password"])


@pytest.mark.parametrize("words", [("--count", 0), ("--count", 1_000_001), ("--count", 5, "--prefix", "a b")])
def test_an_impossible_crowd_is_refused(db, words):
    with pytest.raises(CommandError, match=str(words[-1])):
        run("shoppers", *words)

    assert not User.objects.exists()


def test_a_sale_for_a_load_test_is_told_but_not_shown(client, db):
    facts = json.loads(run("open_sale", "--stock", 50, "--limit", 2, "--price-cents", 1234, "--json"))

    sale = Sale.objects.get(pk=facts["sale"])
    assert (sale.stock, sale.per_user_limit, sale.price_cents) == (50, 2, 1234)
    assert sale.ends_at - sale.starts_at == timedelta(minutes=10)
    assert sale.state_at(timezone.now()) == SaleState.OPEN
    assert OutboxMessage.objects.get().name == "shop.SaleScheduled"
    assert facts["page"] not in client.get("/").content.decode()
    assert client.get(facts["page"]).status_code == 200


def test_without_json_it_prints_the_id_alone(db):
    printed = run("open_sale", "--stock", 1, "--starts-in", 30, "--minutes", 0.5)

    sale = Sale.objects.get(pk=int(printed))
    assert sale.state_at(timezone.now()) == SaleState.UPCOMING


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--stock", 0), "at least 1 unit"),
        (("--stock", 5, "--limit", 0), "limit per shopper"),
        (("--stock", 5, "--minutes", 0), "ends after it starts"),
        (("--stock", 5, "--price-cents", -1), "greater than or equal to 0"),
        (("--stock", 5, "--starts-in", "1e18"), "--starts-in 1e\\+18"),
    ],
)
def test_an_impossible_sale_is_refused(db, words, complaint):
    with pytest.raises(CommandError, match=complaint):
        run("open_sale", *words)

    assert not Sale.objects.exists()
