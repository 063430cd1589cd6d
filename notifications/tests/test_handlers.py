from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
import redis
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from logistics.events import ShipmentCreated, ShipmentDelivered
from notifications.handlers import SUBSCRIPTION
from notifications.models import Notification
from orders.events import (
    OrderCancelled,
    OrderConfirmed,
    OrderExpired,
    OrderPaid,
    OrderPlaced,
    OrderRejected,
)
from payments.events import PaymentFailed, RefundSucceeded
from queueing.event import Event
from queueing.message import new_id


def hear(*events: Event) -> None:
    """As the consumer does: one class of events a call, in a transaction."""
    with transaction.atomic():
        SUBSCRIPTION.handlers[type(events[0])](events)


def confirmed(order_id: str, user: Any, **more: Any) -> OrderConfirmed:
    fields = {"sale_id": 7, "quantity": 1, "total_cents": 4900, **more}
    return OrderConfirmed(order_id=order_id, user_id=user.pk, **fields)


def tasks(client: redis.Redis) -> list[list[str]]:
    """The ids of each task in Celery's queue, oldest first."""
    bodies = [json.loads(raw)["body"] for raw in client.lrange("celery:celery", 0, -1)]
    return [json.loads(b64decode(body))[0][0] for body in reversed(bodies)]


def test_every_step_of_an_order_is_told_by_sms_and_email(ada: Any, order_id: str) -> None:
    fact = {"order_id": order_id, "sale_id": 7, "user_id": ada.pk}
    parcel = {"order_id": order_id, "user_id": ada.pk, "tracking_number": "SLU-1"}
    story: dict[str, Event] = {
        "received": OrderPlaced(
            **fact, idempotency_key="k", quantity=1, price_cents=4900, seq=1, epoch=1, placed_at_ms=1
        ),
        "confirmed": OrderConfirmed(**fact, quantity=1, total_cents=4900),
        "payment_failed": PaymentFailed(**fact, amount_cents=4900, reason="no funds", attempt=1),
        "paid": OrderPaid(**fact, quantity=1, total_cents=4900),
        "shipped": ShipmentCreated(**parcel),
        "delivered": ShipmentDelivered(**parcel),
        "expired": OrderExpired(**fact, quantity=1),
        "rejected": OrderRejected(**fact, quantity=1, reason="sold_out"),
        "cancelled": OrderCancelled(**fact, quantity=1),
        "refunded": RefundSucceeded(**fact, amount_cents=4900, refund_id=new_id()),
    }
    assert {type(event) for event in story.values()} == set(SUBSCRIPTION.handlers)
    of_operators = {Notification.Kind.ALERT.value, Notification.Kind.RESOLVED.value}
    assert set(story) == set(Notification.Kind.values) - of_operators

    for event in story.values():
        hear(event)

    told = list(Notification.objects.values_list("kind", "channel", "to"))
    assert sorted(told) == sorted(
        (kind, channel, to) for kind in story for channel, to in [("sms", ada.phone), ("email", ada.email)]
    )
    assert all("Ada" in text for text in Notification.objects.values_list("text", flat=True))


def test_a_fact_told_twice_is_one_message_even_within_a_batch(ada: Any, order_id: str) -> None:
    hear(confirmed(order_id, ada), confirmed(order_id, ada))
    hear(confirmed(order_id, ada, total_cents=1))

    assert Notification.objects.filter(order_id=order_id).count() == 2
    assert all("€49.00" in text for text in Notification.objects.values_list("text", flat=True))


def test_each_declined_payment_is_told(ada: Any, order_id: str) -> None:
    for attempt in (1, 2, 2):
        hear(
            PaymentFailed(
                order_id=order_id, sale_id=7, user_id=ada.pk, amount_cents=4900, reason="no funds", attempt=attempt
            )
        )

    attempts = Notification.objects.filter(channel="sms").values_list("attempt", flat=True)
    assert sorted(attempts) == [1, 2]


def test_who_has_no_phone_gets_no_sms_and_who_is_gone_gets_nothing(ada: Any, grace: Any) -> None:
    people = get_user_model()
    people.objects.filter(pk=ada.pk).update(phone=" ")
    people.objects.filter(pk=grace.pk).update(email="")
    gone = people(pk=999_999)

    hear(*(confirmed(new_id(), user) for user in (ada, grace, gone)))

    told = Notification.objects.values_list("user_id", "channel")
    assert sorted(told) == sorted([(ada.pk, "email"), (grace.pk, "sms")])


def test_a_batch_costs_two_statements_however_many_buyers_it_has(ada: Any, grace: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        hear(*(confirmed(new_id(), user) for user in (ada, grace) * 250))

    statements = [
        query["sql"].split()[0] for query in queries if "notifications" in query["sql"] or "shop" in query["sql"]
    ]
    assert statements == ["SELECT", "COPY"]
    assert Notification.objects.count() == 1000


@pytest.mark.django_db(transaction=True)
def test_senders_are_told_when_the_transaction_commits_in_tasks_of_a_hundred(
    ada: Any, empty_task_queue: redis.Redis
) -> None:
    with transaction.atomic():
        SUBSCRIPTION.handlers[OrderConfirmed]([confirmed(new_id(), ada) for _ in range(120)])
        assert tasks(empty_task_queue) == []

    sent_for = tasks(empty_task_queue)
    assert [len(ids) for ids in sent_for] == [100, 100, 40]
    written = {str(pk) for pk in Notification.objects.values_list("id", flat=True)}
    assert {one for ids in sent_for for one in ids} == written


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_tells_nobody(ada: Any, empty_task_queue: redis.Redis) -> None:
    class PowerCut(Exception):
        pass

    @transaction.atomic
    def consume() -> None:
        SUBSCRIPTION.handlers[OrderConfirmed]([confirmed(new_id(), ada)])
        raise PowerCut

    with pytest.raises(PowerCut):
        consume()

    assert tasks(empty_task_queue) == []
    assert not Notification.objects.exists()
