"""The demo provider: it delivers to a phone drawn on a page."""

from __future__ import annotations

from collections.abc import Sequence

from notifications.demo_weather import refused
from notifications.models import PhoneMessage
from notifications.provider import Outcome, Outgoing, Receipt


class DemoPhone:
    """Takes everything at once, and a message that comes again only once: the key is unique in its table."""

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        not_now = refused(messages)
        taken = [message for message in messages if message.idempotency_key not in not_now]
        PhoneMessage.objects.bulk_create(
            [
                PhoneMessage(
                    idempotency_key=message.idempotency_key,
                    channel=message.channel,
                    to=message.to,
                    subject=message.subject,
                    text=message.text,
                )
                for message in taken
            ],
            ignore_conflicts=True,
        )
        return [
            *(Receipt(message.idempotency_key, Outcome.SENT) for message in taken),
            *(Receipt(key, Outcome.RETRY, "the demo phone refuses some SMS: the fault room") for key in not_now),
        ]
