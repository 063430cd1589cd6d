"""The handlers as the real queue runs them: outbox, relay, Valkey, worker, inbox."""

from __future__ import annotations

import pytest
import redis
import uuid_utils.compat as uuid
from django.conf import settings
from django.db import transaction

from orders.events import OrderConfirmed
from payments.demo_bank.services import pay_charge
from payments.handlers import SUBSCRIPTION
from payments.models import Payment, Refund
from payments.services import cancel_payment
from payments.tests.support import ADA, a_charge, money_is_right, notice, post
from queueing.conf import make_broker
from queueing.inbox import inbox
from queueing.outbox import publish
from queueing.relay import Relay
from queueing.worker import Worker


@pytest.fixture
def turn():
    """Tell everything, and let the group `payments` hear it."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    broker = make_broker()
    relay = Relay(broker)
    relay.own_lanes()
    worker = Worker(SUBSCRIPTION, broker, middlewares=[inbox("payments")], collect_s=0)

    def run() -> None:
        while relay.step() + worker.step(0):
            pass

    yield run
    relay.release_lanes()


@pytest.mark.django_db(transaction=True)
def test_from_the_confirmed_order_to_the_refund_of_late_money(turn):
    order_id = uuid.uuid7()
    with transaction.atomic():
        publish(OrderConfirmed(order_id=str(order_id), sale_id=7, user_id=ADA, quantity=1, total_cents=4_900))
    turn()
    payment = Payment.objects.get(order_id=order_id)
    charge = a_charge(payment)
    cancel_payment(order_id=order_id)
    pay_charge(charge_id=charge.id)
    assert post(notice(charge)).json() == {"outcome": "refunded"}

    turn()

    assert Refund.objects.get().status == "succeeded"
    assert money_is_right()
