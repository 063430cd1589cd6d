"""Facts of a shopper who does not exist, about a sale that does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from inventory.widgets import AtTheGate
from logistics.models import Shipment
from orders.selectors import OrderView, Step
from orders.states import QUEUED, VOID, Status
from orders.waiting import Waiting
from payments.models import Payment
from payments.selectors import PaymentState
from shop.models import Sale

MINA = SimpleNamespace(is_authenticated=True, is_staff=False, pk=None, get_username="mina")
STRANGER = SimpleNamespace(is_authenticated=False)
ORDER = UUID("0198f3a0-0000-7000-8000-00000decade5")
MINUTE = timedelta(minutes=1)
WAY = (Status.CREATED, Status.CONFIRMED, Status.PAID, Status.SHIPPED, Status.DELIVERED)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the tags of the shop's pages hand out: see widgets.py."""

    gate: AtTheGate
    left: int
    given: int
    line: Waiting | None = None
    payment: PaymentState | None = None
    shipment: Shipment | None = None


def at_gate(sale: Sale, *, left: int, word: str = "open", line: Waiting | None = None) -> Sample:
    gate = AtTheGate(sold_out=word == "sold_out", paused=word == "paused", notice=sale.notice)
    return Sample(gate, left, max(sale.stock, 1), line)


def moved(sale: Sale, now: datetime, state: str) -> Sale:
    """The same sale, at a time when it is in this state."""
    starts_in, ends_in = {"upcoming": (4, 64), "open": (-10, 50), "ended": (-90, -30)}[state]
    sample = copy.copy(sale)
    sample.starts_at, sample.ends_at = now + starts_in * MINUTE, now + ends_in * MINUTE
    return sample


def in_line(word: str, *, ahead: int | None = None, mode: str = "on") -> Waiting:
    number = -1 if word in ("not_in_line", "turn_lapsed") else 412
    eta_s = -(-(ahead or 0) // 20)
    return Waiting(mode=mode, word=word, number=number, ahead=ahead, eta_s=eta_s, joined=3_120, turn_s=60)


def order(sale: Sale, now: datetime, status: str) -> OrderView:
    passed = _way(status)
    steps = [Step(QUEUED, now - 9 * MINUTE), *(Step(one, now - (8 - at) * MINUTE) for at, one in enumerate(passed))]
    return OrderView(
        order_id=ORDER,
        sale_id=sale.pk,
        user_id=0,
        status=status,
        quantity=1,
        price_cents=sale.price_cents,
        total_cents=sale.price_cents,
        placed_at=now - 9 * MINUTE,
        timeline=steps,
        title=sale.product.title,
        picture=sale.product.picture,
        place=1_204 if status == QUEUED else None,
        due_at=now + 12 * MINUTE if status == Status.CONFIRMED else None,
        reject_reason="The last unit went to an earlier order." if status == Status.REJECTED else "",
    )


def around(sale: Sale, now: datetime, status: str) -> Sample:
    """What else an order's page shows: its payment and its parcel."""
    words = {Status.CONFIRMED: "pending", Status.EXPIRED: "expired", Status.CANCELLED: "cancelled"}
    paid = status in (Status.PAID, Status.SHIPPED, Status.DELIVERED)
    word = "paid" if paid else words.get(Status(status)) if status in Status.values else None
    payment = None
    if word is not None:
        facts: dict[str, Any] = {"order_id": ORDER, "amount_cents": sale.price_cents, "status": word}
        due_at = now + 12 * MINUTE if word == "pending" else now - MINUTE
        settled_at = None if word == "pending" else now - 2 * MINUTE
        payment = PaymentState(Payment(due_at=due_at, settled_at=settled_at, **facts), [], now)
    parcel = {Status.SHIPPED: "in_transit", Status.DELIVERED: "delivered"}.get(Status(status)) if paid else None
    shipment = None
    if parcel is not None:
        shipment = Shipment(order_id=ORDER, tracking_number="SL-SAMPLE-0001", status=parcel, moved_at=now - MINUTE)
    gate = AtTheGate(sold_out=False, paused=False, notice="")
    return Sample(gate, sale.stock, sale.stock, payment=payment, shipment=shipment)


def _way(status: str) -> Sequence[str]:
    """The row's statuses up to this one."""
    if status in (QUEUED, VOID):
        return []
    if status == Status.REJECTED:
        return [Status.CREATED, status]
    if status in (Status.EXPIRED, Status.CANCELLED):
        return [Status.CREATED, Status.CONFIRMED, status]
    return WAY[: WAY.index(Status(status)) + 1]
