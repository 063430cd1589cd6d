"""The words: one plain-text template per kind and channel, in `templates/notifications/messages/`.

An e-mail template's first line is its subject. The texts are plain, never HTML: whoever shows one escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.text import Truncator

from notifications.models import Channel

SMS_LENGTH = 160  # characters of one SMS in its 7-bit alphabet; a longer one costs two
NAME_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Text:
    subject: str  # empty for SMS
    body: str


def compose(*, kind: str, channel: str, name: str, order_id: str, facts: Mapping[str, str | int]) -> Text:
    """The text of one message.

    facts: what the kind's template speaks of (quantity, total_cents, tracking_number …).
    """
    words = {
        "name": Truncator(" ".join(name.split())).chars(NAME_LENGTH, truncate="..."),
        "ref": reference(order_id),
        **facts,
    }
    text = render_to_string(f"notifications/messages/{kind}.{channel}.txt", words).strip()
    if channel == Channel.SMS:
        return Text(subject="", body=Truncator(" ".join(text.split())).chars(SMS_LENGTH, truncate="..."))
    subject, _, body = text.partition("\n")
    return Text(subject=subject.strip(), body=body.strip())


def reference(order_id: str) -> str:
    """What a person reads out on the phone: the last six characters of the order's id, which are random."""
    return f"#{order_id[-6:].upper()}"
