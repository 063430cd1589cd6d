"""What notifications offer to other apps' pages: `{% load notifications_widgets %}{% phone user order_id %}`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import template

from notifications.phone import screen

register = template.Library()


@register.inclusion_tag("notifications/phone.html")
def phone(user: Any, order_id: UUID | str) -> dict[str, Any]:
    """The phone with this user's messages about this order; nothing for a visitor who is not logged in."""
    if user is None or user.pk is None:
        return {}
    return screen(user_id=user.pk, order_id=UUID(str(order_id)))
