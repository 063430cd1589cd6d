"""Orders hears the house's events: its orders move, and it tells what follows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from inventory.events import StockDeducted, StockRejected
from logistics.events import ShipmentCreated, ShipmentDelivered
from orders import handlers
from orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderExpired,
    OrderPaid,
    OrderPlaced,
    OrderRejected,
)
from orders.intake import KeyTaken
from orders.models import Offer, Order, Transition
from orders.states import is_path
from payments.events import PaymentCancelled, PaymentExpired, PaymentRequested, PaymentSucceeded
from queueing.errors import NotYet
from queueing.event import event_class
from queueing.message import new_id
from queueing.models import OutboxMessage
from shop.events import SaleScheduled

ANNA = 101


def placed(*, user_id=ANNA, key="first-try", quantity=2, seq=1, order_id=None):
    return OrderPlaced(
        order_id=order_id or new_id(),
        sale_id=7,
        user_id=user_id,
        idempotency_key=key,
        quantity=quantity,
        price_cents=1999,
        seq=seq,
        epoch=1,
        placed_at_ms=1_790_000_000_123,
    )


def money(order_id, kind, **extra):
    return kind(order_id=order_id, sale_id=7, user_id=ANNA, amount_cents=3998, **extra)


def deducted(order_id):
    return StockDeducted(order_id=order_id, sale_id=7, quantity=2)


def parcel(order_id, kind):
    return kind(order_id=order_id, user_id=ANNA, tracking_number="SL-1")


STEPS = {
    "confirm": lambda id_: (handlers.confirm, deducted(id_)),
    "reject": lambda id_: (handlers.reject, StockRejected(order_id=id_, sale_id=7, quantity=2, reason="none left")),
    "pay": lambda id_: (handlers.pay, money(id_, PaymentSucceeded)),
    "expire": lambda id_: (handlers.expire, money(id_, PaymentExpired)),
    "cancel": lambda id_: (handlers.cancel, money(id_, PaymentCancelled)),
    "ship": lambda id_: (handlers.ship, parcel(id_, ShipmentCreated)),
    "deliver": lambda id_: (handlers.deliver, parcel(id_, ShipmentDelivered)),
}


def walk(order_id, *names):
    for name in names:
        handle, event = STEPS[name](order_id)
        handle([event])


def told():
    """What was published since the last look."""
    events = [event_class(row.name, 1).decode(row.body.encode()) for row in OutboxMessage.objects.order_by("id")]
    OutboxMessage.objects.all().delete()
    return events


def history(order_id):
    return list(Transition.objects.filter(order_id=order_id).order_by("id").values_list("to_status", flat=True))


@pytest.fixture
def order_id(db):
    """An order that has just got its row."""
    event = placed()
    handlers.placed([event])
    told()
    return event.order_id


@pytest.mark.django_db
def test_admitted_orders_get_their_rows_and_are_told(django_assert_num_queries):
    events = [placed(user_id=user, seq=user) for user in range(1, 301)]

    with django_assert_num_queries(8):  # what is void, a savepoint around rows and history, outbox, NOTIFY
        handlers.placed(events)

    order = Order.objects.get(id=events[0].order_id)
    assert Order.objects.count() == 300
    assert (order.status, order.quantity, order.price_cents, order.total_cents) == ("created", 2, 1999, 3998)
    assert (order.seq, order.epoch, order.idempotency_key) == (1, 1, "first-try")
    assert order.placed_at == datetime.fromtimestamp(1_790_000_000.123, UTC)
    assert history(order.id) == ["created"]
    created = told()
    assert [event.order_id for event in created] == [event.order_id for event in events]
    assert created[0] == OrderCreated(
        order_id=events[0].order_id, sale_id=7, user_id=1, quantity=2, total_cents=3998, placed_at_ms=1_790_000_000_123
    )


@pytest.mark.django_db
def test_an_admission_that_comes_again_changes_nothing(order_id):
    handlers.placed([placed(order_id=order_id), placed(user_id=202)])

    assert Order.objects.count() == 2
    assert [event.user_id for event in told()] == [202]
    assert history(order_id) == ["created"]


@pytest.mark.django_db
def test_an_order_that_stands_twice_in_one_batch_has_one_row():
    twice, other = placed(), placed(user_id=202)

    handlers.placed([twice, other, twice])

    assert [event.order_id for event in told()] == [twice.order_id, other.order_id]
    assert history(twice.order_id) == ["created"]


@pytest.mark.django_db
def test_two_new_orders_for_one_key_are_an_alarm_that_names_them():
    first, second = placed(), placed()

    with pytest.raises(KeyTaken, match=f"{first.order_id}, {second.order_id}"), transaction.atomic():
        handlers.placed([first, second])

    assert Order.objects.count() == 0


@pytest.mark.django_db
def test_a_second_order_for_one_key_is_an_alarm_not_a_silent_drop(order_id):
    with pytest.raises(KeyTaken, match="idempotency key"), transaction.atomic():
        handlers.placed([placed()])

    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_the_good_way_of_an_order(order_id):
    walk(order_id, "confirm")
    assert told() == [OrderConfirmed(order_id=order_id, sale_id=7, user_id=ANNA, quantity=2, total_cents=3998)]
    walk(order_id, "pay")
    assert told() == [OrderPaid(order_id=order_id, sale_id=7, user_id=ANNA, quantity=2, total_cents=3998)]
    walk(order_id, "ship", "deliver")

    order = Order.objects.get()
    assert (order.status, order.tracking_number) == ("delivered", "SL-1")
    assert history(order_id) == ["created", "confirmed", "paid", "shipped", "delivered"]
    assert Transition.objects.get(to_status="paid").cause == "payments.PaymentSucceeded"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("way", "status", "event"),
    [
        (["reject"], "rejected", OrderRejected),
        (["confirm", "expire"], "expired", OrderExpired),
        (["confirm", "cancel"], "cancelled", OrderCancelled),
    ],
)
def test_the_other_ends_of_an_order(order_id, way, status, event):
    walk(order_id, *way)

    last = told()[-1]
    assert Order.objects.get().status == status
    assert (type(last), last.order_id, last.quantity) == (event, order_id, 2)


@pytest.mark.django_db
def test_a_rejection_keeps_its_reason(order_id):
    walk(order_id, "reject")

    assert Order.objects.get().reject_reason == "none left"
    assert told()[0].reason == "none left"


@pytest.mark.django_db
@pytest.mark.parametrize("again", ["confirm", "reject", "pay"])
def test_an_event_that_comes_again_or_was_overtaken_changes_nothing(order_id, again):
    walk(order_id, "confirm", "pay")
    told()
    before = Order.objects.values().get()

    walk(order_id, again)

    assert told() == []
    assert Order.objects.values().get() == before


@pytest.mark.django_db
@pytest.mark.parametrize("early", ["pay", "expire", "cancel", "ship", "deliver"])
def test_an_event_that_comes_before_its_step_waits(order_id, early):
    handle, event = STEPS[early](order_id)

    with pytest.raises(NotYet) as waiting, transaction.atomic():
        handle([event])

    assert waiting.value.events == (event,)
    assert Order.objects.get().status == "created"


@pytest.mark.django_db
def test_an_event_about_an_order_without_a_row_waits_and_names_only_itself(order_id):
    stranger = deducted(new_id())

    with pytest.raises(NotYet) as waiting:
        handlers.confirm([deducted(order_id), stranger])

    assert waiting.value.events == (stranger,)


@pytest.mark.django_db
def test_an_event_after_the_end_is_not_waiting_for_anything(order_id):
    walk(order_id, "reject")
    told()

    walk(order_id, "pay", "ship")

    assert told() == []
    assert Order.objects.get().status == "rejected"


@pytest.mark.django_db
def test_the_due_time_is_noted_once(order_id):
    request = money(order_id, PaymentRequested, due_at_ms=1_790_000_900_000)
    with pytest.raises(NotYet), transaction.atomic():
        handlers.note_due_time([request])
    walk(order_id, "confirm")

    handlers.note_due_time([request])
    handlers.note_due_time([money(order_id, PaymentRequested, due_at_ms=1)])

    assert Order.objects.get().due_at == datetime.fromtimestamp(1_790_000_900, UTC)


@pytest.mark.django_db
def test_orders_keeps_its_own_copy_of_what_is_sold():
    def scheduled(title, sale_id=7):
        return SaleScheduled(
            sale_id=sale_id,
            title=title,
            picture="pictures/kettle.svg",
            price_cents=1999,
            stock=10,
            per_user_limit=1,
            starts_at_ms=1,
            ends_at_ms=2,
        )

    handlers.note_offer([scheduled("Kettle"), scheduled("Copper kettle"), scheduled("Lamp", 8)])
    handlers.note_offer([scheduled("Bright lamp", 8)])

    assert dict(Offer.objects.values_list("sale_id", "title")) == {7: "Copper kettle", 8: "Bright lamp"}


class AnyStorm(TestCase):
    """Events in any order, any number of times: every history stays a path, and each fact is told once."""

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.sampled_from([*STEPS, "placed"]), max_size=14))
    def test_every_history_is_a_path(self, names):
        order_id = str(uuid.uuid4())
        given, waiting = set(), set()
        for name in names:
            handle, event = STEPS[name](order_id) if name in STEPS else (handlers.placed, placed(order_id=order_id))
            given.add(event)
            try:
                with transaction.atomic():
                    handle([event])
            except NotYet as early:
                waiting.update(early.events)

        assert waiting <= given
        steps = history(order_id)
        assert is_path(steps)
        assert [order.status for order in Order.objects.filter(id=order_id)] == steps[-1:]
        names_told = [event.wire for event in told()]
        assert len(names_told) == len(set(names_told))
