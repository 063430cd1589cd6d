"""The tags of the shop's pages, as the preview's template engine knows them: each hands out what the sample says."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from config.room.preview.samples import Sample
from inventory.widgets import AtTheGate
from logistics.selectors import steps_of
from orders.waiting import Waiting

register = template.Library()


def _sample(context: Context) -> Sample:
    found: Sample = context["sample"]
    return found


@register.simple_tag
def csrf_token() -> str:
    """None: no form of a preview can be sent with success."""
    return ""


@register.simple_tag(takes_context=True)
def at_the_gate(context: Context, *_: Any, **__: Any) -> AtTheGate:
    return _sample(context).gate


@register.inclusion_tag("inventory/stock_bar.html", takes_context=True)
def stock_bar(context: Context, sale_id: int, initial: int = 0) -> dict[str, Any]:
    sample = _sample(context)
    percent = round(100 * sample.left / sample.given)
    return {"sale_id": sale_id, "left": sample.left, "of": sample.given, "percent": percent, "every_s": 0}


@register.simple_tag(takes_context=True)
def waiting_room(context: Context, *_: Any) -> Waiting | None:
    return _sample(context).line


@register.inclusion_tag("payments/panel.html", takes_context=True)
def payment_panel(context: Context, *_: Any) -> dict[str, Any]:
    return {"state": _sample(context).payment}


@register.inclusion_tag("logistics/tracking.html", takes_context=True)
def tracking(context: Context, *_: Any) -> dict[str, Any]:
    shipment = _sample(context).shipment
    return {"shipment": shipment, "steps": steps_of(shipment) if shipment else []}


@register.inclusion_tag("notifications/phone.html")
def phone(*_: Any) -> dict[str, Any]:
    """A phone's messages are its owner's: there are none to show."""
    return {}
