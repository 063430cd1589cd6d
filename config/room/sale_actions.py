"""POST admin/room/sales/<sale>/act/: what an operator does to a sale. Each is one change of the shop, told to the gate
like every other, and one row in the log, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from config.room import sales
from config.room.door import acts_with
from config.room.sale_forms import CloseForm, NoticeForm, RoomForm, StockForm, cleaned
from queueing.console.logbook import write_down
from shop import services, steering
from shop.models import Sale
from shop.services import Room

Act = Callable[[Sale, QueryDict], str]


@acts_with(sales.MAY_ACT)
def act(request: HttpRequest, sale_id: int) -> HttpResponse:
    sale = get_object_or_404(Sale.objects.select_related("product"), pk=sale_id)
    action = request.POST.get("action", "")
    if action not in ACTS:
        return sales.sale_page(request, sale, status=400, wrong={"": "There is no such action."})
    try:
        with transaction.atomic():
            done = ACTS[action](sale, request.POST)
            write_down(request.user, str(sale), f"{done}.", of=Sale, key=sale.pk)
    except ValidationError as error:
        return sales.sale_page(request, sale, status=422, wrong={action: " ".join(error.messages)})
    messages.success(request, f"{done}. It is on its way to the gate.")
    return redirect("room:sale", sale.pk)


def _open(sale: Sale, _: QueryDict) -> str:
    steering.open_now(sale=sale, now=timezone.now())
    return "Opened now"


def _pause(sale: Sale, _: QueryDict) -> str:
    steering.pause(sale=sale, now=timezone.now())
    return "Paused"


def _resume(sale: Sale, _: QueryDict) -> str:
    steering.resume(sale=sale, now=timezone.now())
    return "Resumed"


def _close(sale: Sale, form: QueryDict) -> str:
    cleaned(CloseForm(form))
    steering.close_now(sale=sale, now=timezone.now())
    return "Closed now"


def _add_stock(sale: Sale, form: QueryDict) -> str:
    wish = cleaned(StockForm(form))
    quantity: int = wish["quantity"]
    services.add_stock(sale=sale, quantity=quantity, addition_id=wish["addition"])
    return f"Added {quantity:,} unit{'' if quantity == 1 else 's'}"


def _room(sale: Sale, form: QueryDict) -> str:
    wish = cleaned(RoomForm(form))
    room = Room(wish["mode"], wish["turns_per_s"], sale.turn_s)
    steering.set_room(sale=sale, room=room, now=timezone.now())
    return f"Waiting room {room.mode}, {room.turns_per_s:,} turns a second"


def _notice(sale: Sale, form: QueryDict) -> str:
    text: str = cleaned(NoticeForm(form))["text"]
    steering.set_notice(sale=sale, text=text)
    return f"Notice: {text}" if text else "Notice taken away"


ACTS: dict[str, Act] = {
    "open": _open,
    "pause": _pause,
    "resume": _resume,
    "close": _close,
    "add_stock": _add_stock,
    "room": _room,
    "notice": _notice,
}
