"""Writes what people shall be told. Sending is another step (sending.py): slow calls never hold up a consumer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from notifications.dispatch import send_soon
from notifications.models import Channel, Notification
from notifications.texts import compose
from queueing.db import copy_in
from queueing.message import new_id

_COLUMNS = (
    "id", "order_id", "user_id", "kind", "channel", "attempt", "to", "subject", "text", "status", "tries", "reason"
)  # fmt: skip

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


Row = tuple[str, str, int, str, str, int, str, str, str, str, int, str]  # as _COLUMNS


def tell_buyers(*, kind: Notification.Kind, news: Sequence[News]) -> None:
    """Write one message per buyer, fact and channel, and hand them to the senders when the transaction commits.

    A fact told before is left as it is. A buyer without a phone gets no SMS, one without an e-mail address no mail.
    """
    contacts = _contacts({item.user_id for item in news})
    rows: list[Row] = []
    for item in news:
        contact = contacts.get(item.user_id)
        if contact is None:
            log.warning("order %s: user %s is gone, nobody to tell (%s)", item.order_id, item.user_id, kind)
            continue
        for channel, address in contact.addresses.items():
            text = compose(kind=kind, channel=channel, name=contact.name, number=item.order_id, facts=item.words)
            rows.append(
                (new_id(), item.order_id, item.user_id, kind.value, channel.value, item.attempt, address, text.subject,
                 text.body, Notification.Status.PENDING.value, 0, "")
            )  # fmt: skip
    if not rows:
        return
    _write_down(rows)
    # Ids of facts told before are not in the table; a sender asked for them finds nothing.
    ids = [row[0] for row in rows]
    transaction.on_commit(lambda: send_soon(ids))


def tell_operators(*, kind: Notification.Kind, incident_id: str, user_ids: set[int], text: str) -> None:
    """Write one message per operator and channel about an incident, and hand them over as in `tell_buyers`."""
    rows = []
    for user_id, contact in _contacts(user_ids).items():
        for channel, address in contact.addresses.items():
            said = compose(kind=kind, channel=channel, name=contact.name, number=incident_id, facts={"text": text})
            rows.append(
                Notification(
                    incident_id=incident_id,
                    user_id=user_id,
                    kind=kind,
                    channel=channel,
                    to=address,
                    subject=said.subject,
                    text=said.body,
                )
            )
    if not rows:
        log.warning("nobody who may operate the queue has a phone or an e-mail address: %s", text)
        return
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    ids = [str(row.id) for row in rows]
    transaction.on_commit(lambda: send_soon(ids))


def _write_down(rows: Sequence[Row]) -> None:
    """The inbox passes on only what was never handled, so nearly always all are new and go in by COPY."""
    try:
        with transaction.atomic():
            copy_in(Notification._meta.db_table, _COLUMNS, rows)
    except IntegrityError:
        known = (Notification(**dict(zip(_COLUMNS, row, strict=True))) for row in rows)
        Notification.objects.bulk_create(known, ignore_conflicts=True)


def _contacts(user_ids: set[int]) -> dict[int, Contact]:
    """Names and addresses of all of them, in one query."""
    users = get_user_model()
    rows = users.objects.filter(pk__in=user_ids).values_list("pk", "first_name", users.USERNAME_FIELD, "phone", "email")
    found = {}
    for id_, first_name, username, phone, email in rows:
        addresses = {Channel.SMS: phone.strip(), Channel.EMAIL: email.strip()}
        found[id_] = Contact(
            name=first_name or username,
            addresses={channel: address for channel, address in addresses.items() if address},
        )
    return found
