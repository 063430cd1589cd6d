"""What Sluice asks of whoever carries its messages to people.

A provider is a class named by settings.NOTIFICATIONS["PROVIDER"] and made with settings.NOTIFICATIONS["OPTIONS"].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string


class Outcome(Enum):
    SENT = "sent"
    RETRY = "retry"  # not now: busy, over the rate, a time-out; asking again with the same key is safe
    FAILED = "failed"  # never: no such number, blocked


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to carry. Two with equal `idempotency_key` are one message, however far apart they come."""

    idempotency_key: str
    channel: str  # sms | email
    to: str
    subject: str  # empty for SMS
    text: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message. `reason` is for the operator, empty when sent."""

    idempotency_key: str
    outcome: Outcome
    reason: str = ""


class ProviderDown(Exception):
    """The provider did not answer; what of the batch it took is unknown. All of it is asked again later."""


class Provider(Protocol):
    """Carries a batch of messages.

    `send_batch` answers within 30 s, well before the 60 s after which another sender takes the batch over, with one
    receipt per message in any order. A message without a receipt is unknown and is asked again.

    Raises:
        ProviderDown: see there.
    """

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]: ...


@cache
def provider() -> Provider:
    """The provider of the settings, one per process.

    Raises:
        ImportError: the dotted path leads nowhere; `manage.py check` says so earlier.
    """
    made = import_string(settings.NOTIFICATIONS["PROVIDER"])(**settings.NOTIFICATIONS.get("OPTIONS", {}))
    return cast(Provider, made)
