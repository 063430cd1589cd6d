"""Placing an order: the gate decides, PostgreSQL remembers. No row is written here; the consumer writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from orders import admission, tokens
from orders.admission import Admission, NoGate
from orders.errors import Refused
from orders.models import Offer, Order
from orders.states import QUEUED
from orders.tokens import Receipt
from queueing.crashpoint import crashpoint

# Buyers who ask PostgreSQL what they bought in a sale that is over. More would queue for its connections.
MOST_LOOKING_UP = 64
LOOK_UP_WITHIN_S = 5.0

_looking_up = 0


class Placed(msgspec.Struct, frozen=True, gc=False):
    """What the buyer is told. All but `place` is the same each time the key comes again."""

    receipt: Receipt
    token: str
    place: int
    status: str = QUEUED

    @property
    def order_id(self) -> UUID:
        return self.receipt.order_id


async def place_order(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Placed:
    """Ask the gate; on its yes the order is in the queue and on disk.

    client: the address it comes from, '' if nobody knows.
    Key and quantity were judged with the request (orders/purchase.py); what the gate can't take is a ValueError.

    Raises:
        Refused: no order was placed, with the reason; `unavailable` if nobody knows.
    """
    try:
        admitted = await admission.ask(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity, client=client
        )
    except NoGate as nobody:
        admitted = await _in_a_thread(_remembered, nobody.code, sale_id, user_id, idempotency_key, quantity)
    return _placed(admitted)


def place_order_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Placed:
    """As `place_order`, for code without an event loop."""
    _check(idempotency_key, quantity)
    let_go_of_the_database()
    try:
        admitted = admission.ask_sync(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity, client=client
        )
    except NoGate as nobody:
        admitted = _remembered(nobody.code, sale_id, user_id, idempotency_key, quantity)
    return _placed(admitted)


async def recall_order(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Placed:
    """What was placed under this key before, for a buyer who may not buy any more.

    Raises:
        Refused: nothing was; then `pass_expired`.
    """
    _check(idempotency_key, quantity)
    return _placed(await _in_a_thread(_recalled, sale_id, user_id, idempotency_key, quantity))


def recall_order_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Placed:
    """As `recall_order`, for code without an event loop."""
    _check(idempotency_key, quantity)
    return _placed(_recalled(sale_id, user_id, idempotency_key, quantity))


async def _in_a_thread(look: Callable[..., Admission], *arguments: object) -> Admission:
    """Look in PostgreSQL off the event loop, one after the other.

    Those who come when a sale has just ended are many, and nearly all have bought nothing: only so many wait here.
    """
    global _looking_up
    if _looking_up >= MOST_LOOKING_UP:
        raise Refused("unavailable")
    _looking_up += 1
    try:
        async with asyncio.timeout(LOOK_UP_WITHIN_S):
            return await sync_to_async(_and_let_go)(look, *arguments)
    except TimeoutError as error:
        raise Refused("unavailable") from error
    finally:
        _looking_up -= 1


def _and_let_go(look: Callable[..., Admission], *arguments: object) -> Admission:
    try:
        return look(*arguments)
    except (OperationalError, InterfaceError) as error:
        raise Refused("unavailable") from error
    finally:
        let_go_of_the_database()


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


def _remembered(code: str, sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission:
    """The answer of long ago: Redis forgets after a sale, the unique row over (sale, user, key) does not.

    Raises:
        Refused: there was no such order; then the gate's no (`code`) stands.
    """
    admitted = _from_its_row(sale_id, user_id, idempotency_key, quantity)
    if admitted is not None:
        return admitted
    if code == "ended":
        raise Refused("ended")
    # A sale that the shop told us of, without a gate: Redis lost it or it is being rebuilt. It comes back.
    raise Refused("unavailable" if Offer.objects.filter(sale_id=sale_id).exists() else "unknown_sale")


def _recalled(sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission:
    admitted = admission.recall(sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key)
    if admitted is None:
        admitted = _from_its_row(sale_id, user_id, idempotency_key, quantity)
    if admitted is None:
        raise Refused("pass_expired")
    if admitted.receipt.quantity != quantity:
        raise Refused("idempotency_conflict")
    return admitted


def _from_its_row(sale_id: int, user_id: int, idempotency_key: str, quantity: int) -> Admission | None:
    order = Order.objects.filter(sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key).first()
    if order is None:
        return None
    if order.quantity != quantity:
        raise Refused("idempotency_conflict")
    return Admission(receipt_of(order), place=0)


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
