"""What the shop does: every change of a sale is written together with the event that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from queueing.outbox import publish
from shop.events import SaleScheduled, StockAdded
from shop.models import Product, Sale, StockAddition

MOST_EVER = 1_000_000_000  # units of a sale: the ledger's columns and Lua count them exactly


@dataclass(frozen=True, slots=True)
class Room:
    """How a sale's waiting room is set: its mode (see models.WaitingRoom), turns a second, seconds to use a turn."""

    mode: str = "off"
    turns_per_s: int = 500
    turn_s: int = 60


NO_ROOM = Room()


@transaction.atomic
def schedule_sale(
    *,
    product: Product,
    price_cents: int,
    stock: int,
    per_user_limit: int,
    starts_at: datetime,
    ends_at: datetime,
    published: bool = True,
    room: Room = NO_ROOM,
) -> Sale:
    """A new sale of `stock` units, open in [starts_at, ends_at).

    Raises:
        ValidationError: a number is not above 0, or the end is not after the start.
    """
    sale = Sale(
        product=product,
        price_cents=price_cents,
        stock=stock,
        per_user_limit=per_user_limit,
        starts_at=starts_at,
        ends_at=ends_at,
        published=published,
        waiting_room=room.mode,
        turns_per_s=room.turns_per_s,
        turn_s=room.turn_s,
    )
    sale.full_clean()
    sale.save()
    publish(_scheduled(sale))
    return sale


@transaction.atomic
def reschedule_sale(
    *,
    sale: Sale,
    price_cents: int,
    per_user_limit: int,
    starts_at: datetime,
    ends_at: datetime,
    published: bool = True,
    room: Room | None = None,
) -> Sale:
    """Another price, limit or window, and another waiting room if one is given.

    Orders placed before keep the price they were admitted at.

    Raises:
        ValidationError: as in `schedule_sale`.
    """
    current = locked(sale)
    current.price_cents = price_cents
    current.per_user_limit = per_user_limit
    current.starts_at = starts_at
    current.ends_at = ends_at
    current.published = published
    if room is not None:
        current.waiting_room, current.turns_per_s, current.turn_s = room.mode, room.turns_per_s, room.turn_s
    return tell(current)


@transaction.atomic
def add_stock(*, sale: Sale, quantity: int, addition_id: UUID | None = None) -> StockAddition:
    """`quantity` more units for a sale; addition_id: of a form, so that one which is sent twice adds once.

    Raises:
        ValidationError: quantity is not above 0, the sale is over, it would be more than the ledger can count, or this
            was added before.
    """
    current = locked(sale)
    if addition_id and (before := StockAddition.objects.filter(pk=addition_id).first()):
        raise ValidationError(f"This form was sent twice: its {before.quantity:,} units are added, once.")
    if current.ends_at <= timezone.now():
        raise ValidationError("This sale is over: nobody could buy what is added now.")
    given = current.stock + (current.additions.aggregate(units=Sum("quantity"))["units"] or 0)
    if given + quantity > MOST_EVER:
        raise ValidationError(f"A sale has at most {MOST_EVER:,} units, and this one was given {given:,}.")
    addition = StockAddition(sale=sale, quantity=quantity)
    addition.pk = addition_id or addition.pk
    addition.full_clean()
    addition.save()
    publish(StockAdded(sale_id=sale.pk, addition_id=str(addition.pk), quantity=quantity))
    return addition


@transaction.atomic
def save_product(*, product: Product) -> Product:
    """A new product, or a new title or picture: sales of it that are not over are told again.

    Raises:
        ValidationError: a field is missing or malformed, or the slug is taken.
    """
    product.full_clean()
    product.save()
    sales = Sale.objects.select_for_update(of=["self"]).filter(product=product, ends_at__gt=timezone.now())
    publish(*(_scheduled(sale) for sale in sales.select_related("product")))
    return product


@transaction.atomic
def retell_sales() -> int:
    """Tell again of every sale that is not over, and of what was added to it: the event may have been lost with Redis's
    data. Returns how many sales."""
    sales = list(
        Sale.objects.select_for_update(of=["self"])
        .filter(ends_at__gt=timezone.now())
        .select_related("product")
        .order_by("id")
    )
    additions = StockAddition.objects.filter(sale__in=sales).order_by("created_at")
    publish(*(_scheduled(sale) for sale in sales))
    publish(
        *(
            StockAdded(sale_id=addition.sale_id, addition_id=str(addition.pk), quantity=addition.quantity)
            for addition in additions
        )
    )
    return len(sales)


def locked(sale: Sale) -> Sale:
    """The sale as it is now, locked until the transaction ends: two changes at once are told as they are committed."""
    return Sale.objects.select_for_update(of=["self"]).select_related("product").get(pk=sale.pk)


def tell(sale: Sale) -> Sale:
    """Keep a change of a locked sale, and tell it.

    Raises:
        ValidationError: it would not be a sale any more.
    """
    sale.revision += 1
    sale.full_clean()
    sale.save()
    publish(_scheduled(sale))
    return sale


def _scheduled(sale: Sale) -> SaleScheduled:
    return SaleScheduled(
        sale_id=sale.pk,
        title=sale.product.title,
        picture=sale.product.picture,
        price_cents=sale.price_cents,
        stock=sale.stock,
        per_user_limit=sale.per_user_limit,
        starts_at_ms=_milliseconds(sale.starts_at),
        ends_at_ms=_milliseconds(sale.ends_at),
        waiting_room=sale.waiting_room,
        turns_per_s=sale.turns_per_s,
        turn_s=sale.turn_s,
        paused=sale.paused,
        notice=sale.notice,
        revision=sale.revision,
    )


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
