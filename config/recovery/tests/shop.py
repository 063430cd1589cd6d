"""A shop whose Redis is about to have an accident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import redis

from inventory import gate
from inventory.gate import GateState
from orders import selectors
from orders.models import Order
from orders.services import Placed, place_order_sync
from payments import services as payments
from payments.demo_bank.models import DemoWebhook
from payments.demo_bank.services import pay_charge
from payments.models import Charge, Payment
from payments.webhooks import receive_webhook
from shop.models import Sale, User


@dataclass
class Shop:
    BUYERS: ClassVar = ("ada", "bob", "cleo", "dan", "eve")
    client: redis.Redis
    sale: Sale
    buyers: dict[str, User]

    def buy(self, name: str, *, key: str = "", quantity: int = 1) -> Placed:
        """
        Raises:
            Refused: no.
        """
        return place_order_sync(
            sale_id=self.sale.pk,
            user_id=self.buyers[name].pk,
            idempotency_key=key or f"{name}-first-try",
            quantity=quantity,
        )

    def pay(self, order_id: UUID) -> None:
        payment = Payment.objects.get(order_id=order_id)
        payments.start_checkout(payment=payment, return_url="http://testserver/")
        pay_charge(charge_id=UUID(Charge.objects.get(payment=payment).id))
        for webhook in DemoWebhook.objects.filter(delivered_at=None):
            receive_webhook(event_id=webhook.event_id, body=webhook.body.encode())

    @property
    def gate(self) -> GateState | None:
        return gate.read_state(self.sale.pk)

    def status(self, placed: Placed) -> str:
        """As the page says that opens with the order's token."""
        return selectors.order_for(order_id=placed.order_id, user_id=None, token=placed.token).status

    def statuses(self) -> dict[Any, str]:
        return dict(Order.objects.values_list("id", "status"))
