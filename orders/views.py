"""The buyer's pages: buy, follow one order, all my orders."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from orders import admission, cookies, selectors, services
from orders.errors import Refused
from orders.forms import BuyForm
from orders.selectors import OrderView, Stranger
from orders.tallies import ADMITTED, BROKEN, note_in_a_thread
from orders.timeline import stages
from orders.tokens import BadToken


@require_POST
def buy(request: HttpRequest, sale_id: int) -> HttpResponse:
    """The buy button without JavaScript: one order for one rendered form, however often it is sent."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("shop:sale", args=[sale_id]))
    since, outcome = perf_counter_ns(), BROKEN
    form = BuyForm(request.POST)
    try:
        if not form.is_valid():
            raise form.refusal()
        placed = services.place_order_sync(
            sale_id=sale_id, user_id=request.user.pk, client=request.META.get("REMOTE_ADDR", ""), **form.cleaned_data
        )
        outcome = ADMITTED
    except Refused as refused:
        outcome = refused.code
        return _refusal(request, sale_id, form, refused)
    finally:
        note_in_a_thread(outcome, since)
    response = redirect("orders:order", placed.order_id)
    cookies.keep_token(response, placed)
    return response


@require_POST
def join_line(request: HttpRequest, sale_id: int) -> HttpResponse:
    """The button of a sale's waiting room: a place, and back to the sale. Sent twice, it is the same place."""
    return _line(request, sale_id, admission.join_line_sync)


@require_POST
def leave_line(request: HttpRequest, sale_id: int) -> HttpResponse:
    return _line(request, sale_id, admission.leave_line_sync)


def _line(request: HttpRequest, sale_id: int, act: Callable[..., object]) -> HttpResponse:
    page = reverse("shop:sale", args=[sale_id])
    if not request.user.is_authenticated:
        return redirect_to_login(page)
    services.let_go_of_the_database()
    try:
        act(sale_id=sale_id, user_id=request.user.pk, client=request.META.get("REMOTE_ADDR", ""))
    except Refused as refused:
        if refused.code == "unknown_sale":
            raise Http404 from refused
        return render(request, "orders/refused.html", {"refused": refused, "sale_id": sale_id}, status=refused.status)
    return redirect(page)


@require_safe
@never_cache
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """One order, followed live until nothing about it will change."""
    if not request.user.is_authenticated and not request.GET.get("token"):
        return redirect_to_login(request.get_full_path())
    return render(request, "orders/order.html", _context(request, order_id))


@require_safe
@never_cache
def live(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The part of the order's page that changes; it asks for itself again unless the order is final."""
    return render(request, "orders/_live.html", _context(request, order_id))


@require_safe
@never_cache
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    orders = selectors.orders_of(user_id=cast(int, request.user.pk))
    return render(request, "orders/mine.html", {"orders": orders})


def _context(request: HttpRequest, order_id: UUID) -> dict[str, object]:
    """
    Raises:
        Http404: no such order, or somebody else's; the two look alike.
    """
    token = request.GET.get("token", "")
    try:
        found: OrderView = selectors.order_for(
            order_id=order_id,
            user_id=request.user.pk,
            token=token,
            cookie=cookies.kept_token(request),
        )
    except (Stranger, BadToken) as error:
        raise Http404 from error
    # What the buyer says the bank did; shown until the bank says it itself, and believed by nobody else.
    bank_said = "paid" if request.GET.get("bank") == "paid" else ""
    kept = {name: value for name, value in (("token", token), ("bank", bank_said)) if value}
    return {
        "order": found,
        "stages": stages(found),
        "now": timezone.now(),
        "token": token,
        "bank_said": bank_said,
        "carry_on": f"?{urlencode(kept)}" if kept else "",
    }


def _refusal(request: HttpRequest, sale_id: int, form: BuyForm, refused: Refused) -> HttpResponse:
    if refused.code == "unknown_sale":
        raise Http404
    context = {"refused": refused, "sale_id": sale_id, "again": form.cleaned_data if form.is_valid() else None}
    response = render(request, "orders/refused.html", context, status=refused.status)
    if refused.retry_after_s:
        response["Retry-After"] = str(refused.retry_after_s)
    return response
