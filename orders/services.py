"""Placing an order: the gate decides, PostgreSQL remembers. No row is written here; the consumer writes it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection

from orders import admission, tokens
from orders.admission import Admission, NoGate
from orders.errors import Refused
from orders.models import Offer, Order
from orders.states import QUEUED
from orders.tokens import Receipt
from queueing.crashpoint import crashpoint


@dataclass(frozen=True, slots=True)
class Placed:
    """What the buyer is told. All but `place` is the same each time the key comes again."""

    receipt: Receipt
    token: str
    place: int
    status: str = QUEUED

    @property
    def order_id(self) -> UUID:
        return self.receipt.order_id


async def place_order(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Placed:
    """Ask the gate; on its yes the order is in the queue and on disk.

    Raises:
        Refused: no order was placed, with the reason; `unavailable` if nobody knows.
    """
    _check(idempotency_key, quantity)
    try:
        admitted = await admission.ask(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity
        )
    except NoGate as nobody:
        admitted = await sync_to_async(_remembered)(nobody, sale_id, user_id, idempotency_key, quantity)
    return _placed(admitted)


def place_order_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Placed:
    """As `place_order`, for the form without JavaScript."""
    _check(idempotency_key, quantity)
    let_go_of_the_database()
    try:
        admitted = admission.ask_sync(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity
        )
    except NoGate as nobody:
        admitted = _remembered(nobody, sale_id, user_id, idempotency_key, quantity)
    return _placed(admitted)


def let_go_of_the_database() -> None:
    """Give this thread's connection back before asking the gate, as Django does at a request's end.

    Buyers who wait a second for a hanging Redis would otherwise hold all connections, and everybody else would wait
    for those.
    """
    if not connection.in_atomic_block:  # a caller's transaction needs it to the end
        close_old_connections()


def _check(idempotency_key: str, quantity: int) -> None:
    if not admission.is_well_formed(idempotency_key):
        raise Refused("invalid", "The Idempotency-Key must be 8 to 100 letters, digits, '_' or '-'.")
    if not 1 <= quantity <= admission.MOST_UNITS:
        raise Refused("invalid", f"The quantity must be between 1 and {admission.MOST_UNITS}.")


def _placed(admitted: Admission) -> Placed:
    crashpoint("orders.admitted")
    return Placed(admitted.receipt, tokens.sign(admitted.receipt), admitted.place)


def _remembered(nobody: NoGate, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission:
    """The answer of long ago: Redis forgets after a sale, the unique row over (sale, user, key) does not.

    Raises:
        Refused: there was no such order; then the gate's no stands.
    """
    order = Order.objects.filter(sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key).first()
    if order is not None:
        if order.quantity != quantity:
            raise Refused("idempotency_conflict")
        return Admission(receipt_of(order), place=0)
    if nobody.code == "ended":
        raise Refused("ended")
    # A sale that the shop told us of, without a gate: Redis lost it or it is being rebuilt. It comes back.
    raise Refused("unavailable" if Offer.objects.filter(sale_id=sale_id).exists() else "unknown_sale")


def receipt_of(order: Order) -> Receipt:
    """What the gate promised for this order, from its row."""
    return Receipt(
        order_id=order.id,
        user_id=order.user_id,
        sale_id=order.sale_id,
        epoch=order.epoch,
        seq=order.seq,
        quantity=order.quantity,
        price_cents=order.price_cents,
        placed_at_ms=round(order.placed_at.timestamp() * 1000),
    )
