"""The funnel's page, and what renews it: how many came, and at which layer how many were let through."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest, HttpResponse

from config.room import funnel_shown
from config.room.door import looks
from config.room.page import page
from queueing.console.stream import event_stream


@looks
def show(request: HttpRequest) -> HttpResponse:
    shown = funnel_shown.make()
    return page(
        request,
        "funnel.html",
        "Funnel",
        funnel=shown,
        shares=list(funnel_shown.SHARES),
        banner=shown.banner,
        stale=shown.stale,
    )


@looks
def live(request: HttpRequest) -> HttpResponse:
    """The same numbers for the page's script."""
    return HttpResponse(body(), content_type="application/json")


@looks
def stream(request: HttpRequest) -> HttpResponse:
    return event_stream(request, body)


def body() -> bytes:
    return msgspec.json.encode(funnel_shown.make())
