"""The shop's story on a Redis Cluster (one node, all slots, where a command across slots is refused): gate, outbox and
relay, every consumer, delayed messages, dead letters, the console's sample and the audit.

That reading and settling work there is in queueing/tests/test_redis_cluster.py, and that this cluster refuses, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import transaction
from django.utils import timezone

from inventory import keys
from inventory.gate import read_state
from inventory.script import script
from orders.events import OrderCancelled
from payments.models import Payment
from payments.services import expire_unpaid_payments
from queueing.broker import Failure
from queueing.conf import make_broker
from queueing.console.choosing import Choice
from queueing.console.sampling import take_sample
from queueing.console.selectors import dead_letters, find_dead_letter
from queueing.message import new_id
from queueing.outbox import cancel, publish
from queueing.testing import drain
from shop.models import Sale
from tests.test_purchase_journey import audit, buy, house, pay, sale, shopper, statuses

pytestmark = [pytest.mark.django_db(transaction=True)]
__all__ = ["house", "sale"]


@pytest.fixture(autouse=True)
def empty_redis(cluster_url: str, settings: Any) -> Iterator[redis.Redis]:
    """Everything but Celery is on the cluster: Celery's own transport needs a Redis that is none."""
    settings.REDIS_URL = cluster_url
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": cluster_url}}
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": cluster_url}}
    with redis.Redis.from_url(cluster_url) as client:
        client.flushdb()
        yield client
        client.flushdb()


def test_two_kettles_from_the_button_to_the_door_and_back_to_the_shelf(house: Any, sale: Sale) -> None:
    ada, lin = shopper("ada"), shopper("lin")
    unpaid, paid = buy(ada, sale), buy(lin, sale)
    assert read_state(sale.pk).stock == 0  # type: ignore[union-attr]
    drain()

    pay(lin, paid)
    Payment.objects.filter(order_id=unpaid).update(due_at=timezone.now() - timedelta(seconds=1))
    assert expire_unpaid_payments() == 1
    drain()

    assert (statuses(unpaid)[-1], statuses(paid)[-1]) == ("expired", "shipped")
    assert read_state(sale.pk).stock == 1  # type: ignore[union-attr]
    again = buy(shopper("sam"), sale)
    drain()
    assert statuses(again)[-1] == "confirmed"
    orders = next(group for group in take_sample().groups if group.group == "orders")
    assert (orders.lag, orders.dead) == (0, 0)
    assert orders.acked >= 3
    assert audit()["broken"] == 0


def test_a_dead_letter_is_listed_and_replayed(sale: Sale) -> None:
    buy(shopper("ada"), sale)
    broker = make_broker()
    [placed] = broker.read("orders", "ada", ["orders.placed"], 10, 0)
    assert broker.bury("orders", "ada", placed, Failure("the oven is cold"))

    [letter] = dead_letters(Choice(reason="oven"))
    assert (letter.group, letter.reason) == ("orders", "the oven is cold")
    assert broker.replay([found for found in [find_dead_letter(letter.address)] if found]) == 1
    drain(broker=broker)

    assert dead_letters(Choice()) == []
    assert take_sample().total.lag == 0


def test_a_delayed_message_is_kept_counted_and_cancelled() -> None:
    with transaction.atomic():
        [reminder] = publish(
            OrderCancelled(order_id=new_id(), sale_id=7, user_id=1, quantity=1), delay=timedelta(hours=1)
        )
    drain()
    assert take_sample().total.later >= 1

    assert cancel(reminder)
    assert take_sample().total.later == 0


def test_a_script_of_the_gate_that_reached_into_another_sale_would_be_refused(empty_redis: redis.Redis) -> None:
    """So the stories above prove that none does."""
    names = [keys.gate(7), keys.buyers(8), keys.applied(7)]

    with pytest.raises(redis.exceptions.ClusterCrossSlotError):
        script("give_back").run(names, ["ledger-1", 1, ""])
