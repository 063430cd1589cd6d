"""What inventory shows on other apps' pages: `{% load inventory_widgets %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from inventory.widgets import stock_bar_context

_SILENT = "inventory_gate_is_silent"
register = template.Library()


@register.simple_tag(takes_context=True)
def is_sold_out(context: Context, sale_id: int) -> bool:
    """`{% is_sold_out sale.id as sold_out %}`: nothing is left right now. False while nobody can tell."""
    request = context.get("request")
    return bool(stock_bar_context(sale_id, ask=not getattr(request, _SILENT, False))["left"] == 0)


@register.inclusion_tag("inventory/stock_bar.html", takes_context=True)
def stock_bar(context: Context, sale_id: int, initial: int = 0) -> dict[str, Any]:
    """`{% stock_bar sale.id sale.stock %}`: units left as a bar that follows the sale live.

    A page of many sales asks a silent Redis once, not once per sale: each asking may take most of a second.
    """
    request = context.get("request")
    shown = stock_bar_context(sale_id, initial, ask=not getattr(request, _SILENT, False))
    if request is not None and shown["silent"]:
        setattr(request, _SILENT, True)
    return shown
