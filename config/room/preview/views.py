"""GET admin/room/sales/<sale>/preview/: what shoppers can see of a sale, one link a state."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from config.room.door import looks
from config.room.page import page
from config.room.preview.engine import render
from config.room.preview.states import GROUPS, STATES, State
from shop.models import Sale

# The pages as they are, but dead: no script runs, no form is sent, nothing is asked for.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        *("form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"),
    ]
)

_SCRIPTS = re.compile(r"<script\b[^>]*></script>")  # the policy forbids them anyway, and the browser would complain


@looks
def previews(request: HttpRequest, sale_id: int) -> HttpResponse:
    sale = get_object_or_404(Sale.objects.select_related("product"), pk=sale_id)
    return page(request, "previews.html", f"What shoppers can see: {sale.product.title}", sale=sale, groups=GROUPS)


@looks
def preview(request: HttpRequest, sale_id: int, name: str) -> HttpResponse:
    """
    Raises:
        Http404: no such sale or state.
    """
    sale = get_object_or_404(Sale.objects.select_related("product"), pk=sale_id)
    state = STATES.get(name)
    if state is None:
        raise Http404
    facts = state.facts(sale, timezone.now()) | {"preview": state, "preview_sale_id": sale.pk}
    html = _SCRIPTS.sub("", render(state.template, facts))
    if state.template == "busy.html":
        html = html.replace("<body>", f"<body>{_mark(state, sale)}", 1)  # nginx's own page extends nothing
    return HttpResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})


def _mark(state: State, sale: Sale) -> str:
    back = reverse("room:previews", args=[sale.pk])
    text = '<p role="note"><strong>Preview.</strong> This is “{}”. <a href="{}">All states</a></p>'
    return format_html(text, state.title, back)
