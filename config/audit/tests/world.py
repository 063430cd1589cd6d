"""A small sale on the real parts, with every way an order can go, and the history its buyers would have written."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from django.db import connection
from django.utils import timezone

from config.audit.tests.saved import Saved
from logistics.models import Shipment
from logistics.services import advance_shipments
from notifications import sending
from notifications.models import Notification
from orders.errors import Refused
from orders.services import place_order_sync
from payments import services as payments
from payments.demo_bank.models import DemoWebhook
from payments.demo_bank.services import pay_charge
from payments.models import Charge, Payment
from payments.webhooks import receive_webhook
from queueing.testing import drain
from shop.models import Product, Sale, User
from shop.services import add_stock, schedule_sale

BUYERS = ("ada", "bob", "cleo", "dan", "eve", "finn", "gus", "hal", "ivy", "jon")


@dataclass
class World:
    """kettles: 8 units (6 and 2 added later), at most 2 each. lamp: a single one."""

    kettles: Sale
    lamp: Sale
    users: dict[str, User]
    orders: dict[str, str] = field(default_factory=dict)  # buyer → order id
    history: list[dict[str, Any]] = field(default_factory=list)
    saved: Saved | None = None
    _memory: tuple[dict[str, str], list[dict[str, Any]]] = ({}, [])

    def save(self, client: redis.Redis) -> None:
        self.saved = Saved.now(client)
        self._memory = copy.deepcopy((self.orders, self.history))

    def restore(self, client: redis.Redis) -> None:
        """As it was when it was saved, whatever was done to it since."""
        assert self.saved is not None
        self.saved.restore(client)
        self.orders, self.history = copy.deepcopy(self._memory)

    def forget(self, client: redis.Redis) -> None:
        assert self.saved is not None
        self.saved.forget(client)

    def ask(self, name: str, *, sale: Sale | None = None, key: str = "", quantity: int = 1, lost: bool = False) -> None:
        """One attempt to buy. lost: the answer never reaches the buyer."""
        sale = sale or self.kettles
        key = key or f"{name}-key-{sale.pk}"
        user = self.users[name]
        line = {
            "at": time.time_ns() // 1_000_000, "op": "place", "user": name, "sale_id": sale.pk, "key": key,
            "quantity": quantity,
        }  # fmt: skip
        try:
            placed = place_order_sync(sale_id=sale.pk, user_id=user.pk, idempotency_key=key, quantity=quantity)
        except Refused as refused:
            self.history.append({**line, "outcome": "fail", "code": refused.code})
            return
        self.orders[name] = str(placed.order_id)
        if lost:
            self.history.append({**line, "outcome": "info"})
            return
        receipt = placed.receipt
        self.history.append(
            {**line, "outcome": "ok", "order_id": str(placed.order_id), "token": placed.token,
             "price_cents": receipt.price_cents, "total_cents": receipt.price_cents * receipt.quantity}
        )  # fmt: skip

    def pay(self, *names: str) -> None:
        """At the bank, whose webhook then reaches the shop."""
        for name in names:
            payment = Payment.objects.get(order_id=self.orders[name])
            payments.start_checkout(payment=payment, return_url="http://testserver/")
            pay_charge(charge_id=UUID(Charge.objects.get(payment=payment).id))
            self.history.append(
                {"at": time.time_ns() // 1_000_000, "op": "pay", "outcome": "ok", "order_id": self.orders[name],
                 "user": name, "sale_id": payment.sale_id}
            )  # fmt: skip
        for webhook in DemoWebhook.objects.filter(delivered_at=None):
            receive_webhook(event_id=webhook.event_id, body=webhook.body.encode())
        DemoWebhook.objects.filter(delivered_at=None).update(delivered_at=timezone.now())

    def expire(self, *names: str) -> None:
        ids = [self.orders[name] for name in names]
        Payment.objects.filter(order_id__in=ids).update(due_at=timezone.now() - timedelta(seconds=1))
        payments.expire_unpaid_payments()

    def deliver(self, name: str) -> None:
        """The demo carrier brings this parcel to its door, step by step."""
        while Shipment.objects.filter(order_id=self.orders[name]).exclude(status="delivered").exists():
            Shipment.objects.filter(order_id=self.orders[name]).update(next_step_at=timezone.now())
            advance_shipments()

    def settle(self) -> None:
        """Everything that was said is heard, and every message is on the phone."""
        drain()
        while pending := list(Notification.objects.filter(status="pending").values_list("id", flat=True)):
            sending.send([str(id_) for id_ in pending])

    def write_history(self, path: Path, history: list[dict[str, Any]] | None = None) -> Path:
        path.write_text("".join(json.dumps(line) + "\n" for line in history or self.history))
        return path


def build() -> World:
    kettle = Product.objects.create(title="Ember kettle", slug="ember-kettle", blurb="Boils.", picture="p/k.svg")
    opens, ends = timezone.now() - timedelta(minutes=1), timezone.now() + timedelta(hours=1)
    kettles = schedule_sale(product=kettle, price_cents=4900, stock=6, per_user_limit=2, starts_at=opens, ends_at=ends)
    lamp = schedule_sale(product=kettle, price_cents=900, stock=1, per_user_limit=1, starts_at=opens, ends_at=ends)
    users = {
        name: User.objects.create(username=name, email=f"{name}@example.test", phone="+44 20 7946 0001")
        for name in BUYERS
    }
    world = World(kettles, lamp, users)
    world.settle()
    for name in ("ada", "bob", "cleo", "dan", "eve"):
        world.ask(name)
    world.ask("ada")  # the reply got lost, she asks again with the same key
    world.settle()
    add_stock(sale=kettles, quantity=2)
    world.settle()
    world.ask("finn")
    world.ask("gus", quantity=2)
    world.ask("gus", key="gus-wants-more")
    world.ask("ivy", sale=lamp, lost=True)
    world.ask("hal", sale=lamp)
    world.settle()
    world.expire("dan", "finn")
    payments.cancel_payment(order_id=UUID(world.orders["eve"]))
    world.settle()
    world.pay("ada", "bob", "finn", "gus")  # finn's money comes too late
    world.settle()
    world.deliver("ada")
    world.settle()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_order")
        assert cursor.fetchone()[0] == 8
    return world
