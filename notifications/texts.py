"""The words: one plain-text template per kind and channel, in `templates/notifications/messages/`.

An e-mail template's first line is its subject. The texts are plain, never HTML: whoever shows one escapes it.

A crowd is told the same thing, but for a name and a number. So a template is rendered once for all who are told the
same facts, with gaps where name and number belong: rendering took two thirds of a consumer's time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.text import Truncator
from django.utils.translation import get_language

from notifications.models import Channel

SMS_LENGTH = 160  # characters of one SMS in its 7-bit alphabet; a longer one costs two
NAME_LENGTH = 20
NAME, REFERENCE = "\0name\0", "\0reference\0"  # the gaps; no text in PostgreSQL has a NUL

_GAPS = re.compile(f"({NAME}|{REFERENCE})")

Facts = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Text:
    subject: str  # empty for SMS
    body: str


def compose(*, kind: str, channel: str, name: str, number: str, facts: Mapping[str, str | int]) -> Text:
    """The text of one message.

    number: of the order, or of whatever else it is about.
    facts: what the kind's template speaks of (quantity, total_cents, tracking_number …).
    """
    subject, body = _with_gaps(kind, channel, tuple(facts.items()), get_language())
    fills = {NAME: _cut(" ".join(name.replace("\0", "").split()), NAME_LENGTH), REFERENCE: reference(number)}
    text = Text(_fill(subject, fills), _fill(body, fills))
    return text if channel != Channel.SMS else Text("", _cut(text.body, SMS_LENGTH))


def reference(number: str) -> str:
    """What a person reads out on the phone: the last six characters of the order's id, which are random."""
    return f"#{number[-6:].upper()}"


@lru_cache(256)
def _with_gaps(kind: str, channel: str, facts: Facts, language: str | None) -> tuple[list[str], list[str]]:
    """Subject and body, in pieces: what is in a gap stands alone."""
    words = {"name": NAME, "ref": REFERENCE, **dict(facts)}
    text = render_to_string(f"notifications/messages/{kind}.{channel}.txt", words).strip()
    if channel == Channel.SMS:
        return [], _GAPS.split(" ".join(text.split()))
    subject, _, body = text.partition("\n")
    return _GAPS.split(subject.strip()), _GAPS.split(body.strip())


def _fill(pieces: list[str], fills: Mapping[str, str]) -> str:
    """Gap by gap: what is filled in is never looked at for gaps again."""
    return "".join([fills.get(piece, piece) for piece in pieces])


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else str(Truncator(text).chars(length, truncate="..."))
