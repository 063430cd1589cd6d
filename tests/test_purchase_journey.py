"""The whole story: a limited kettle goes from the sale page through every queue to an SMS. Nothing is replaced.

Relay and consumers turn in this thread instead of in processes of their own (tests/drills runs those).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from inventory.gate import read_state
from inventory.models import LedgerEntry, SaleStock
from logistics.models import Shipment
from logistics.services import advance_shipments
from notifications.models import Notification, PhoneMessage
from notifications.tasks import send
from orders.models import Order, Transition
from payments.demo_bank.delivery import deliver_due_webhooks
from payments.models import Payment
from payments.services import expire_unpaid_payments
from queueing.models import OutboxMessage
from queueing.testing import drain
from shop.models import Product, Sale
from shop.services import schedule_sale

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield
        client.flushdb()


@pytest.fixture
def sale() -> Sale:
    kettle = Product.objects.create(title="Copper kettle", slug="kettle", blurb="Sings.", picture="pictures/kettle.svg")
    sale = schedule_sale(
        product=kettle,
        price_cents=4_900,
        stock=2,
        per_user_limit=1,
        starts_at=timezone.now() - timedelta(seconds=5),
        ends_at=timezone.now() + timedelta(hours=1),
    )
    drain()
    return sale


def shopper(name: str) -> Client:
    get_user_model().objects.create_user(
        name, email=f"{name}@example.test", phone="+44 20 7946 0001", password="a" * 12
    )
    client = Client()
    client.force_login(get_user_model().objects.get(username=name))
    return client


def buy(client: Client, sale: Sale) -> str:
    form = client.get(f"/sales/{sale.pk}")
    assert form.status_code == 200
    answer = client.post(f"/sales/{sale.pk}/buy", {"quantity": 1, "idempotency_key": f"key-of-{id(client)}"})
    assert answer.status_code == 302, answer.content
    return answer["Location"].rstrip("/").rsplit("/", 1)[-1]


def pay(client: Client, order_id: str, *, button: str = "pay") -> None:
    """Through the shop's pay page and the bank's own page; the bank then calls the shop's webhook over HTTP."""
    bank_page = client.post(f"/pay/{order_id}")
    assert bank_page.status_code == 302, bank_page.content
    client.post(bank_page["Location"], {"decision": button})
    deliver_due_webhooks()


def audit() -> dict[str, Any]:
    out = StringIO()
    try:
        call_command("audit", "--json", stdout=out)
    except SystemExit as end:
        pytest.fail(f"the audit found {end.code} broken rule(s): {out.getvalue()}")
    return json.loads(out.getvalue())


@pytest.fixture
def house(live_server: Any, settings: Any) -> Any:
    settings.SELF_URL = live_server.url
    settings.CARRIER_STEP_S = 0
    return live_server


def send_messages() -> None:
    """What the Celery worker does with the tasks that the consumers queued."""
    send([str(id_) for id_ in Notification.objects.filter(status="pending").values_list("id", flat=True)])


def statuses(order_id: str) -> list[str]:
    return list(Transition.objects.filter(order_id=order_id).order_by("id").values_list("to_status", flat=True))


def sms(client: Client, order_id: str) -> str:
    return client.get(f"/phone/messages?order={order_id}").content.decode()


def test_one_kettle_from_the_button_to_the_door(house: Any, sale: Sale) -> None:
    ada = shopper("ada")

    order_id = buy(ada, sale)
    assert Order.objects.count() == 0, "no row is written inside the request"
    assert "queue" in ada.get(f"/orders/{order_id}").content.decode().lower()
    drain()
    assert Order.objects.get().status == "confirmed"
    assert SaleStock.objects.get(sale_id=sale.pk).sold == 1

    pay(ada, order_id)
    drain()
    assert Order.objects.get().status == "shipped"
    for _ in range(5):
        advance_shipments()
    drain()
    send_messages()

    assert statuses(order_id) == ["created", "confirmed", "paid", "shipped", "delivered"]
    assert Shipment.objects.get().tracking_number in sms(ada, order_id)
    assert PhoneMessage.objects.count() >= 5
    assert OutboxMessage.objects.count() == 0
    assert audit()["broken"] == 0


def test_an_unpaid_kettle_goes_back_on_the_shelf_once(house: Any, sale: Sale) -> None:
    ada, lin = shopper("ada"), shopper("lin")
    order_id = buy(ada, sale)
    buy(lin, sale)
    drain()
    assert read_state(sale.pk).stock == 0  # type: ignore[union-attr]

    Payment.objects.filter(order_id=order_id).update(due_at=timezone.now() - timedelta(seconds=1))
    assert [expire_unpaid_payments(), expire_unpaid_payments()] == [1, 0]
    drain()

    assert statuses(order_id)[-1] == "expired"
    assert read_state(sale.pk).stock == 1  # type: ignore[union-attr]
    assert LedgerEntry.objects.filter(kind="return").count() == 1
    assert SaleStock.objects.get(sale_id=sale.pk).sold == 1
    again = buy(shopper("sam"), sale)
    drain()
    assert statuses(again)[-1] == "confirmed"
    assert audit()["broken"] == 0


def test_a_declined_card_can_be_tried_again(house: Any, sale: Sale) -> None:
    ada = shopper("ada")
    order_id = buy(ada, sale)
    drain()

    pay(ada, order_id, button="decline")
    drain()
    assert statuses(order_id)[-1] == "confirmed"
    pay(ada, order_id)
    drain()
    send_messages()

    assert "shipped" in statuses(order_id)
    assert audit()["broken"] == 0


def test_a_cancelled_order_gives_the_buyers_allowance_back(house: Any, sale: Sale) -> None:
    ada = shopper("ada")
    order_id = buy(ada, sale)
    drain()

    ada.post(f"/pay/{order_id}/cancel")
    drain()

    assert statuses(order_id)[-1] == "cancelled"
    assert buy_again(ada, sale).status_code == 302
    drain()
    assert audit()["broken"] == 0


def buy_again(client: Client, sale: Sale) -> Any:
    return client.post(f"/sales/{sale.pk}/buy", {"quantity": 1, "idempotency_key": "another-click"})


def test_what_is_gone_is_not_offered(house: Any, sale: Sale) -> None:
    """Also to a browser without JavaScript and to a visitor: the page itself says that nothing is left."""
    lin = shopper("lin")
    offered = lin.get(f"/sales/{sale.pk}").content.decode()
    for name in ("ada", "sam"):
        buy(shopper(name), sale)

    gone, visited = (client.get(f"/sales/{sale.pk}").content.decode() for client in (lin, Client()))

    assert ">Buy now</button>" in offered
    assert ">Sold out</button>" in gone
    assert "Log in to buy" not in visited
    assert "Sold out." in visited
