"""What pages and the API show of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from orders import admission, tokens
from orders.models import Offer, Order, Transition
from orders.states import QUEUED, TERMINAL, VOID, Status
from orders.tokens import BadToken, Receipt
from orders.voiding import is_void


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an order's timeline."""

    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its buyer sees it, with a row or still in the queue.

    status: queued, void (admitted, then Redis lost its data: not placed, nothing charged) or a row's status.
    place: 1 is worked off next; None once it has a row, or while nobody can tell.
    """

    order_id: UUID
    sale_id: int
    user_id: int
    status: str
    quantity: int
    price_cents: int
    total_cents: int
    placed_at: datetime
    timeline: Sequence[Step]
    title: str = ""
    picture: str = ""
    place: int | None = None
    due_at: datetime | None = None
    tracking_number: str | None = None
    reject_reason: str = ""

    @property
    def is_final(self) -> bool:
        """Nothing will change any more, so a page may stop asking."""
        return self.status in TERMINAL or self.status == VOID

    @property
    def number(self) -> str:
        """The short name that messages call it by."""
        return str(self.order_id)[-6:].upper()

    @property
    def pay_url(self) -> str | None:
        return f"/pay/{self.order_id}" if self.status == Status.CONFIRMED else None


class Stranger(Exception):
    """Whoever asks may not see this order, or there is none: the two can't be told apart."""


def order_for(*, order_id: UUID, user_id: int | None, token: str = "", cookie: str = "") -> OrderView:
    """The order, if the session's user or the token opens it.

    user_id: of the session, None without one. token: shown by the caller, so it must be right.
    cookie: the token the browser kept from buying (see `orders.cookies`); one that is not good is as none.

    Raises:
        BadToken: the token shown is not one of ours.
        Stranger: nothing opens this order.
    """
    receipt = tokens.read(token) if token else _kept(cookie)
    if receipt is not None and (receipt.order_id != order_id or (user_id is not None and user_id != receipt.user_id)):
        if token:
            raise Stranger
        receipt = None
    if receipt is not None and not token and user_id is None:
        receipt = None  # a cookie outlives its log-in; a link that was given on purpose stands alone
    owner = receipt.user_id if receipt else user_id
    if owner is None:
        raise Stranger
    order = Order.objects.filter(id=order_id).first()
    if order is not None:
        if order.user_id != owner:
            raise Stranger
        return _of_row(order, _timelines([order]), _offers([order.sale_id]))
    if receipt is not None:
        return _of_receipt(receipt)
    raise Stranger


def orders_of(*, user_id: int, limit: int = 100) -> list[OrderView]:
    """A user's orders, newest first."""
    rows = list(Order.objects.filter(user_id=user_id).order_by("-placed_at")[:limit])
    timelines, offers = _timelines(rows), _offers({row.sale_id for row in rows})
    return [_of_row(row, timelines, offers) for row in rows]


def _kept(cookie: str) -> Receipt | None:
    try:
        return tokens.read(cookie) if cookie else None
    except BadToken:
        return None


def _of_row(order: Order, timelines: Mapping[UUID, Sequence[Step]], offers: Mapping[int, Offer]) -> OrderView:
    offer = offers.get(order.sale_id)
    return OrderView(
        order_id=order.id,
        sale_id=order.sale_id,
        user_id=order.user_id,
        status=order.status,
        quantity=order.quantity,
        price_cents=order.price_cents,
        total_cents=order.total_cents,
        placed_at=order.placed_at,
        timeline=[Step(QUEUED, order.placed_at), *timelines.get(order.id, ())],
        title=offer.title if offer else "",
        picture=offer.picture if offer else "",
        due_at=order.due_at,
        tracking_number=order.tracking_number,
        reject_reason=order.reject_reason,
    )


def _of_receipt(receipt: Receipt) -> OrderView:
    standing = admission.standing(receipt.sale_id)
    offer = _offers([receipt.sale_id]).get(receipt.sale_id)
    placed_at = datetime.fromtimestamp(receipt.placed_at_ms / 1000, UTC)
    lost = is_void(receipt)
    if standing is not None and not lost and (standing.epoch, standing.seq) < (receipt.epoch, receipt.seq):
        admission.bear_witness(receipt)
    return OrderView(
        order_id=receipt.order_id,
        sale_id=receipt.sale_id,
        user_id=receipt.user_id,
        status=VOID if lost else QUEUED,
        quantity=receipt.quantity,
        price_cents=receipt.price_cents,
        total_cents=receipt.total_cents,
        placed_at=placed_at,
        timeline=[Step(QUEUED, placed_at)],
        title=offer.title if offer else "",
        picture=offer.picture if offer else "",
        place=standing.place_of(receipt) if standing and standing.epoch == receipt.epoch and not lost else None,
    )


def _timelines(orders: Sequence[Order]) -> dict[UUID, list[Step]]:
    found: dict[UUID, list[Step]] = {order.id: [] for order in orders}
    for step in Transition.objects.filter(order_id__in=list(found)).order_by("id"):
        found[step.order_id].append(Step(step.to_status, step.at))
    return found


def _offers(sale_ids: Sequence[int] | set[int]) -> dict[int, Offer]:
    return Offer.objects.in_bulk(list(sale_ids))
