"""What inventory shows on other apps' pages: `{% load inventory_widgets %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from inventory.widgets import AtTheGate, at_the_gate_now, stock_bar_context

_SILENT = "inventory_gate_is_silent"
register = template.Library()


@register.simple_tag(takes_context=True)
def at_the_gate(context: Context, sale_id: int, *, paused: bool = False, notice: str = "") -> AtTheGate:
    """`{% at_the_gate sale.id paused=sale.paused notice=sale.notice as gate %}`: what the gate says to shoppers now.

    While nobody can tell it is what the shop said last: `paused` and `notice`.
    """
    request = context.get("request")
    shown = None if getattr(request, _SILENT, False) else at_the_gate_now(sale_id)
    if shown is None:
        if request is not None:
            setattr(request, _SILENT, True)
        return AtTheGate(sold_out=False, paused=paused, notice=notice)
    return shown


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
