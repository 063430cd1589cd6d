"""Writes what people shall be told. Sending is another step (sending.py): slow calls never hold up a consumer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db import transaction

from notifications.dispatch import send_soon
from notifications.models import Channel, Notification
from notifications.texts import compose

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """One fact for one buyer. `words` is what the template speaks of; `attempt` tells repeated facts apart."""

    order_id: str
    user_id: int
    words: Mapping[str, str | int] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Contact:
    name: str
    addresses: Mapping[Channel, str]  # only the channels this person can be reached by


def tell_buyers(*, kind: Notification.Kind, news: Sequence[News]) -> None:
    """Write one message per buyer, fact and channel, and hand them to the senders when the transaction commits.

    A fact told before is left as it is. A buyer without a phone gets no SMS, one without an e-mail address no mail.
    """
    contacts = _contacts({item.user_id for item in news})
    rows = []
    for item in news:
        contact = contacts.get(item.user_id)
        if contact is None:
            log.warning("order %s: user %s is gone, nobody to tell (%s)", item.order_id, item.user_id, kind)
            continue
        for channel, address in contact.addresses.items():
            text = compose(kind=kind, channel=channel, name=contact.name, order_id=item.order_id, facts=item.words)
            rows.append(
                Notification(
                    order_id=item.order_id,
                    user_id=item.user_id,
                    kind=kind,
                    channel=channel,
                    attempt=item.attempt,
                    to=address,
                    subject=text.subject,
                    text=text.body,
                )
            )
    if not rows:
        return
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    # Ids of facts told before are not in the table; a sender asked for them finds nothing.
    ids = [str(row.id) for row in rows]
    transaction.on_commit(lambda: send_soon(ids))


def _contacts(user_ids: set[int]) -> dict[int, Contact]:
    """Names and addresses of all of them, in one query."""
    found = {}
    for user in get_user_model().objects.filter(pk__in=user_ids):
        addresses = {Channel.SMS: user.phone.strip(), Channel.EMAIL: user.email.strip()}
        found[user.pk] = Contact(
            name=user.first_name or user.get_username(),
            addresses={channel: address for channel, address in addresses.items() if address},
        )
    return found
