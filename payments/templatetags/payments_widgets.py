"""What other apps' pages show about money: {% load payments_widgets %}{% payment_panel order_id user %}."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import template
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from payments.selectors import payment_of_buyer

register = template.Library()


@register.inclusion_tag("payments/panel.html", takes_context=True)
def payment_panel(
    context: template.RequestContext, order_id: UUID | str, user: AbstractBaseUser | AnonymousUser
) -> dict[str, Any]:
    """Pay button, deadline and cancel; or what became of it. Empty for anybody but the buyer, and before it is due."""
    state = payment_of_buyer(order_id=UUID(str(order_id)), user_id=user.pk)
    return {"state": state, "csrf_token": context.get("csrf_token"), "bank_said": context.get("bank_said")}
