"""What a sale's page shows of its waiting room: `{% load orders_widgets %}{% waiting_room sale.id user as line %}`."""

from __future__ import annotations

from django import template
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from orders.waiting import Waiting, waiting_of

register = template.Library()


@register.simple_tag
def waiting_room(sale_id: int, user: AbstractBaseUser | AnonymousUser) -> Waiting | None:
    """Where this user stands; None when no waiting room is on, and the buy button is for everybody."""
    return waiting_of(sale_id=sale_id, user_id=user.pk)
