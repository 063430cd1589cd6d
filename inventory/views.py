"""The stock bar as a fragment: what htmx fetches again and again."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from inventory.widgets import stock_bar_context


@require_safe
def stock(request: HttpRequest, sale_id: int) -> HttpResponse:
    """The same markup as `{% stock_bar %}`; a dash while nobody can tell. The same for everybody, so cacheable."""
    response = render(request, "inventory/stock_bar.html", stock_bar_context(sale_id))
    response["Cache-Control"] = settings.SHARED
    return response
