"""The storefront: what is on sale, and one sale's page."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from shop import selectors


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return _page(request, "shop/home.html", {"shelves": selectors.shelves(now=now), "now": now})


@require_safe
def sale(request: HttpRequest, sale_id: int) -> HttpResponse:
    """One sale. Its buy form carries a key made for this rendering: sending the form twice buys once."""
    found = selectors.sale_by_id(sale_id=sale_id)
    if found is None:
        raise Http404
    now = timezone.now()
    context = {"sale": found, "state": found.state_at(now), "now": now, "idempotency_key": uuid4()}
    return _page(request, "shop/sale.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """Every stranger sees the same page, so the gateway may keep it for a second; a shopper's own page nobody keeps."""
    response = render(request, template, context)
    if request.user.is_authenticated or "messages" in request.COOKIES:
        add_never_cache_headers(response)
    else:
        response["Cache-Control"] = settings.SHARED
    return response
