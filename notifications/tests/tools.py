"""What several tests of sending need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from django.db.models import F

from notifications.demo_phone import DemoPhone
from notifications.models import Channel, Notification
from notifications.provider import Outcome, Outgoing, ProviderDown, Receipt
from queueing.message import new_id


def write(count: int, *, user_id: int = 1, **fields: Any) -> list[str]:
    """`count` pending SMS, each for an order of its own; returns their ids."""
    rows = [
        Notification(
            order_id=new_id(),
            user_id=user_id,
            kind=Notification.Kind.PAID,
            channel=Channel.SMS,
            to="+44 20 7946 0001",
            text=f"message {number}",
            **fields,
        )
        for number in range(count)
    ]
    Notification.objects.bulk_create(rows)
    return [str(row.id) for row in rows]


def let_time_pass(seconds: float) -> None:
    """Every row is `seconds` older now: the clock the sweep reads is PostgreSQL's, so the rows move instead."""
    by = timedelta(seconds=seconds)
    Notification.objects.update(due_at=F("due_at") - by, claimed_at=F("claimed_at") - by)


def statuses() -> dict[str, int]:
    found = Notification.objects.values_list("status", flat=True)
    return {status: list(found).count(status) for status in set(found)}


class Recorder:
    """A provider that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Outgoing] = []

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        self.asked += messages
        return [Receipt(message.idempotency_key, Outcome.SENT) for message in messages]


class BlockedNumber:
    """Refuses everything for good."""

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        return [Receipt(message.idempotency_key, Outcome.FAILED, "number blocked") for message in messages]


class Down:
    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        raise ProviderDown("connection refused")


class Flaky(DemoPhone):
    """Says "not now" to a fifth of the messages, half of which it took all the same, and drops one call in ten."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.refused = self.dropped = 0

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        if self.random.random() < 0.1:
            self.dropped += 1
            if self.random.random() < 0.5:
                super().send_batch(messages)
            raise ProviderDown("timed out")
        receipts = []
        for message in messages:
            luck = self.random.random()
            if luck >= 0.1:
                super().send_batch([message])
            if luck < 0.2:
                self.refused += 1
                receipts.append(Receipt(message.idempotency_key, Outcome.RETRY, "not now"))
            else:
                receipts.append(Receipt(message.idempotency_key, Outcome.SENT))
        return receipts
