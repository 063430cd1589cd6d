from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from queueing.models import OutboxMessage
from shop import services
from shop.events import SaleScheduled, StockAdded
from shop.models import Sale, SaleState, StockAddition


def told() -> list[tuple[str, str]]:
    return list(OutboxMessage.objects.order_by("id").values_list("name", "key"))


def last_sale_scheduled() -> SaleScheduled:
    return SaleScheduled.decode(OutboxMessage.objects.filter(name=SaleScheduled.wire).latest("id").body.encode())


def test_scheduling_a_sale_writes_the_row_and_tells_it(make_sale, kettle):
    sale = make_sale(price_cents=4900, stock=50, per_user_limit=2)

    assert told() == [("shop.SaleScheduled", str(sale.pk))]
    event = last_sale_scheduled()
    assert (event.title, event.picture) == ("Ember kettle", "pictures/kettle.svg")
    assert (event.price_cents, event.stock, event.per_user_limit) == (4900, 50, 2)
    assert abs(event.starts_at_ms - sale.starts_at.timestamp() * 1000) < 1
    assert event.ends_at_ms - event.starts_at_ms == 3_600_000


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"price_cents": 0}, "price"),
        ({"stock": 0}, "at least 1 unit"),
        ({"stock": 10_000_001}, "less than or equal to 10000000"),
        ({"per_user_limit": 0}, "limit per shopper"),
        ({"lasts": timedelta(0)}, "ends after it starts"),
        ({"starts_in": timedelta(days=-365 * 2000), "lasts": timedelta(days=365 * 2001)}, "after 1970"),
        ({"stock": -5}, "greater than or equal to 0"),
    ],
)
def test_an_impossible_sale_is_refused_and_nothing_is_told(make_sale, facts, complaint):
    with pytest.raises(ValidationError, match=complaint):
        make_sale(**facts)

    assert not Sale.objects.exists()
    assert told() == []


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("price_cents", 0, "sale_price_positive"),
        ("stock", 0, "sale_stock_positive"),
        ("per_user_limit", 0, "sale_limit_positive"),
    ],
)
def test_postgresql_refuses_what_slips_past_the_service(make_sale, column, value, constraint):
    sale = make_sale()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Sale.objects.filter(pk=sale.pk).update(**{column: value})


def test_postgresql_refuses_a_sale_that_ends_before_it_starts(make_sale):
    sale = make_sale()

    with pytest.raises(IntegrityError, match="sale_ends_after_start"), transaction.atomic():
        Sale.objects.filter(pk=sale.pk).update(ends_at=sale.starts_at)


def test_rescheduling_tells_the_new_window_and_keeps_the_first_stock(make_sale):
    sale = make_sale(stock=50)
    services.add_stock(sale=sale, quantity=7)
    later = timezone.now() + timedelta(days=1)

    services.reschedule_sale(
        sale=sale, price_cents=3900, per_user_limit=3, starts_at=later, ends_at=later + timedelta(minutes=5)
    )

    event = last_sale_scheduled()
    assert (event.price_cents, event.per_user_limit, event.stock) == (3900, 3, 50)
    assert event.starts_at_ms == round(later.timestamp() * 1000)


def test_a_reschedule_that_cannot_be_changes_nothing(make_sale):
    sale = make_sale()

    with pytest.raises(ValidationError, match="ends after it starts"):
        services.reschedule_sale(
            sale=sale, price_cents=1, per_user_limit=1, starts_at=sale.ends_at, ends_at=sale.starts_at
        )

    sale.refresh_from_db()
    assert sale.price_cents == 4900
    assert len(told()) == 1


def test_added_stock_is_a_row_and_an_event_with_the_same_id(make_sale):
    sale = make_sale()

    addition = services.add_stock(sale=sale, quantity=25)

    assert StockAddition.objects.get().quantity == 25
    event = StockAdded.decode(OutboxMessage.objects.latest("id").body.encode())
    assert (event.sale_id, event.addition_id, event.quantity) == (sale.pk, str(addition.pk), 25)


def test_adding_nothing_is_refused(make_sale):
    sale = make_sale()

    with pytest.raises(ValidationError, match="at least 1 unit"):
        services.add_stock(sale=sale, quantity=0)

    assert not StockAddition.objects.exists()
    assert len(told()) == 1


def test_a_new_title_is_told_for_sales_that_are_not_over(make_sale, kettle):
    running = make_sale()
    make_sale(starts_in=timedelta(hours=-3))
    before = OutboxMessage.objects.count()

    kettle.title = "Ember kettle II"
    services.save_product(product=kettle)

    assert OutboxMessage.objects.count() == before + 1
    assert (last_sale_scheduled().sale_id, last_sale_scheduled().title) == (running.pk, "Ember kettle II")


def test_a_sale_is_open_from_its_start_until_just_before_its_end(make_sale):
    sale = make_sale()
    instant = timedelta(microseconds=1)

    assert sale.state_at(sale.starts_at - instant) == SaleState.UPCOMING
    assert sale.state_at(sale.starts_at) == SaleState.OPEN
    assert sale.state_at(sale.ends_at - instant) == SaleState.OPEN
    assert sale.state_at(sale.ends_at) == SaleState.ENDED
