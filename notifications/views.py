"""The demo phone's page and the fragment it polls. Both show the messages of whoever is logged in, and no others."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from notifications.models import Channel
from notifications.phone import screen


@require_GET
@never_cache
@login_required
def phone(request: HttpRequest) -> HttpResponse:
    """GET /phone/?tab=sms|email&order=<id>: the whole page, or to htmx the phone alone (a tab was touched)."""
    assert request.user.pk is not None
    face = screen(user_id=request.user.pk, channel=_channel(request), order_id=_order(request))
    wants_part = request.headers.get("HX-Request") == "true"
    return render(request, "notifications/phone.html" if wants_part else "notifications/phone_page.html", face)


@require_GET
@never_cache
def messages(request: HttpRequest) -> HttpResponse:
    """GET /phone/messages?tab=&order=&seen=: the messages, or 204 when the newest is the one already seen.

    Logged out: 401, which htmx leaves alone; a redirect would put the login page inside the phone.
    """
    if request.user.pk is None:
        return HttpResponse(status=401)
    face = screen(user_id=request.user.pk, channel=_channel(request), order_id=_order(request))
    if request.GET.get("seen") == str(face["newest"]):
        return HttpResponse(status=204)
    return render(request, "notifications/messages.html", face)


def _channel(request: HttpRequest) -> Channel:
    wanted = request.GET.get("tab", Channel.SMS)
    return Channel(wanted) if wanted in Channel.values else Channel.SMS


def _order(request: HttpRequest) -> UUID | None:
    """Raises Http404 for what can't be an order's id; another person's order simply has no messages for you."""
    wanted = request.GET.get("order")
    if not wanted:
        return None
    try:
        return UUID(wanted)
    except ValueError:
        raise Http404("no such order") from None
