"""The storefront: what is on sale, and one sale's page."""

from __future__ import annotations

from uuid import uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop import selectors


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return render(request, "shop/home.html", {"shelves": selectors.shelves(now=now), "now": now})


@require_safe
@never_cache
def sale(request: HttpRequest, sale_id: int) -> HttpResponse:
    """One sale. Its buy form carries a key made for this rendering: sending the form twice buys once."""
    found = selectors.sale_by_id(sale_id=sale_id)
    if found is None:
        raise Http404
    now = timezone.now()
    context = {"sale": found, "state": found.state_at(now), "now": now, "idempotency_key": uuid4()}
    return render(request, "shop/sale.html", context)
