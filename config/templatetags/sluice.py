"""What every page writes the same way: money, instants and time left."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

CURRENCY = "€"


@register.filter
def money(cents: int) -> str:
    """4900 → €49.00"""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{CURRENCY}{whole:,}.{rest:02}"


@register.filter
def milliseconds(instant: datetime) -> int:
    """Since 1970 UTC, as the page's script counts."""
    return round(instant.timestamp() * 1000)


@register.filter
def instant(moment: datetime, style: str = "short") -> SafeString:
    """A date and time in UTC; the page's script rewrites it in the reader's own zone. `medium` has seconds."""
    clock = "%H:%M:%S" if style == "medium" else "%H:%M"
    text = moment.astimezone(UTC).strftime(f"%d %b %Y, {clock} UTC").lstrip("0")
    shape = '<time datetime="{}" data-local="{}">{}</time>'
    return format_html(shape, moment.isoformat(timespec="milliseconds"), style, text)


@register.simple_tag
def time_left(until: datetime, now: datetime, *, edge: str = "", spoken: bool = False) -> SafeString:
    """A countdown: right without JavaScript when the page is made, ticking on the server's clock with it.

    edge: "starts" or "ends" lets the script move it when an operator moves the sale.
    spoken: its last minute, ten seconds and end are said to screen readers. At most one a page.
    """
    return format_html(
        '<span class="countdown" role="timer" data-until="{}"{}{}>{}</span>',
        milliseconds(until),
        format_html(' data-edge="{}"', edge) if edge else "",
        mark_safe(" data-spoken") if spoken else "",
        spell(max(0, math.ceil((until - now).total_seconds()))),
    )


def spell(seconds: int) -> str:
    """93784 → 1 d 02:03:04; 184 → 03:04. `spell` in sluice.js says the same."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{minute:02}:{second:02}" if seconds < 3600 else f"{hour:02}:{minute:02}:{second:02}"
    return f"{days} d {clock}" if days else clock
