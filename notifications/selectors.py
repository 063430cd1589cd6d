"""Reads for the pages: what arrived on whose phone."""

from __future__ import annotations

from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from notifications.models import Notification, PhoneMessage

SHOWN = 50


def messages_on_phone(
    *, user_id: int, channel: str, order_id: UUID | None = None, limit: int = SHOWN
) -> QuerySet[PhoneMessage]:
    """What arrived for this user, newest first, each with its `order_id`; with `order_id`, about that order alone.

    Found by the user the message was written for, never by the address: two accounts may give one phone number.
    """
    written = Notification.objects.filter(user_id=user_id, channel=channel)
    if order_id is not None:
        written = written.filter(order_id=order_id)
    about = Notification.objects.filter(id=OuterRef("idempotency_key")).values("order_id")
    return (
        PhoneMessage.objects.filter(idempotency_key__in=written.values("id"))
        .annotate(order_id=Subquery(about))
        .order_by("-id")[:limit]
    )
