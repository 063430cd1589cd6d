"""Sales: which there are, and one sale with its levers and where its units are."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from uuid_utils.compat import uuid7

from config.room import sale_cells
from config.room.door import looks
from config.room.page import page
from config.room.watching import watch
from queueing.console.stream import event_stream
from shop.models import LONGEST_NOTICE, Sale, SaleState, WaitingRoom

MAY_ACT = "shop.change_sale"
SHOWN = 100


@looks
def sales(request: HttpRequest) -> HttpResponse:
    """Those that start last come first."""
    now = timezone.now()
    found = Sale.objects.select_related("product").order_by("-starts_at", "-id")[:SHOWN]
    rows = [{"sale": sale, "state": _state(sale, now)} for sale in found]
    return page(request, "sales.html", "Sales", rows=rows, shown=SHOWN)


@looks
def sale(request: HttpRequest, sale_id: int) -> HttpResponse:
    return sale_page(request, get_object_or_404(Sale.objects.select_related("product"), pk=sale_id))


@looks
def sample(request: HttpRequest, sale_id: int) -> HttpResponse:
    """The page's numbers for its script, where nothing can be kept open."""
    get_object_or_404(Sale, pk=sale_id)
    return HttpResponse(sale_cells.teller(sale_id)(), content_type="application/json")


@looks
def stream(request: HttpRequest, sale_id: int) -> HttpResponse:
    get_object_or_404(Sale, pk=sale_id)
    return event_stream(request, sale_cells.teller(sale_id))


def sale_page(
    request: HttpRequest, sale: Sale, *, status: int = 200, wrong: dict[str, str] | None = None
) -> HttpResponse:
    """wrong: by action, why it was not done."""
    sale.refresh_from_db()
    seen = watch(sale.pk).sight(now=True)
    state = sale.state_at(timezone.now())
    return page(
        request,
        "sale.html",
        sale.product.title,
        status=status,
        sale=sale,
        state=state,
        tiles=sale_cells.tiles(seen),
        places=sale_cells.places(seen),
        verdict=sale_cells.verdict(seen),
        banner=sale_cells.banner(seen),
        may_act=request.user.has_perm(MAY_ACT),
        addition=uuid7(),
        modes=WaitingRoom.choices,
        longest_notice=LONGEST_NOTICE,
        wrong=wrong or {},
    )


def _state(sale: Sale, now: datetime) -> str:
    state = sale.state_at(now)
    return "paused" if sale.paused and state == SaleState.OPEN else state.value
