"""What inventory shows on other apps' pages: `{% load inventory_widgets %}`."""

from __future__ import annotations

from typing import Any

from django import template

from inventory.widgets import stock_bar_context

register = template.Library()


@register.inclusion_tag("inventory/stock_bar.html")
def stock_bar(sale_id: int, initial: int = 0) -> dict[str, Any]:
    """`{% stock_bar sale.id sale.stock %}`: units left as a bar that follows the sale live."""
    return stock_bar_context(sale_id, initial)
