"""What an operator does to a sale while it runs. Each is told as every change is, and is at the gate a moment later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from shop.models import Sale, SaleState
from shop.services import Room, locked, tell

OVER = "This sale is over, and nothing opens it again. Schedule another one."


@transaction.atomic
def open_now(*, sale: Sale, now: datetime) -> Sale:
    """It starts at once instead of later. now: the shop's clock; the gate compares with Redis's.

    Raises:
        ValidationError: it has started, or it is over.
    """
    current = locked(sale)
    state = current.state_at(now)
    if state != SaleState.UPCOMING:
        raise ValidationError(OVER if state == SaleState.ENDED else "This sale is open already.")
    current.starts_at = now
    return tell(current)


@transaction.atomic
def close_now(*, sale: Sale, now: datetime) -> Sale:
    """It ends at once. Orders that are admitted go on.

    Raises:
        ValidationError: it has not started, or it is over already.
    """
    current = locked(sale)
    if current.state_at(now) == SaleState.ENDED:
        raise ValidationError("This sale is over already.")
    if current.starts_at >= now:
        raise ValidationError("This sale has not opened yet. Pause it, or move its start.")
    current.ends_at = now
    return tell(current)


def pause(*, sale: Sale, now: datetime) -> Sale:
    """Nobody is admitted until it is resumed, and the waiting room stands still. Orders that are admitted go on.

    Raises:
        ValidationError: it is paused already, or over.
    """

    def rest(current: Sale) -> None:
        if current.paused:
            raise ValidationError("This sale is paused already.")
        current.paused = True

    return _while_it_lasts(sale, now, rest)


def resume(*, sale: Sale, now: datetime) -> Sale:
    """
    Raises:
        ValidationError: it is not paused, or over.
    """

    def go_on(current: Sale) -> None:
        if not current.paused:
            raise ValidationError("This sale is not paused.")
        current.paused = False

    return _while_it_lasts(sale, now, go_on)


def set_room(*, sale: Sale, room: Room, now: datetime) -> Sale:
    """Another waiting room, or another rate of the one that is on.

    Raises:
        ValidationError: a mode or number that is none, or the sale is over.
    """

    def furnish(current: Sale) -> None:
        current.waiting_room, current.turns_per_s, current.turn_s = room.mode, room.turns_per_s, room.turn_s

    return _while_it_lasts(sale, now, furnish)


@transaction.atomic
def set_notice(*, sale: Sale, text: str) -> Sale:
    """One line for everybody who looks at the sale, also when it is over; '' takes it away.

    Raises:
        ValidationError: it is too long, or not one line of plain text.
    """
    current = locked(sale)
    current.notice = text
    return tell(current)


@transaction.atomic
def _while_it_lasts(sale: Sale, now: datetime, alter: Callable[[Sale], None]) -> Sale:
    current = locked(sale)
    if current.state_at(now) == SaleState.ENDED:
        raise ValidationError(OVER)
    alter(current)
    return tell(current)
