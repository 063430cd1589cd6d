"""Claim, send, settle: a message leaves once, whoever dies on the way.

    pending --claim--> sending --settle--> sent | failed | pending again, later
                          \\--nobody settled it within 60 s--> pending again

A sender that dies after the provider took its batch leaves it `sending`; it is taken over and sent again with the same
idempotency keys, and the provider recognises them. All clocks are PostgreSQL's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from notifications.provider import Outcome, Outgoing, Provider, ProviderDown, Receipt, provider
from queueing.crashpoint import crashpoint
from queueing.retry import RetryPolicy

BATCH = 100  # messages of one task and of one call to the provider
TAKE_OVER_AFTER_S = 60
SWEEP_BEHIND_S = 5  # a sweep leaves fresh rows to the task that was sent for them
SWEEP_FOR_S = 5.0  # then the worker looks at its other work; the next sweep goes on
# 10 tries within about half an hour; news older than that confuses more than it helps.
RETRY = RetryPolicy(max_attempts=10, first_s=5, factor=2, ceiling_s=900)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    message: Outgoing
    tries: int  # with this one; also the fence: whoever claims after us has a higher number


def send(ids: Sequence[str]) -> int:
    """Send those of `ids` that are pending and due; returns how many were claimed."""
    claimed = _claim("id = ANY(%s::uuid[]) AND due_at <= clock_timestamp()", [list(ids)])
    _deliver(claimed, provider())
    return len(claimed)


def sweep() -> int:
    """Take over what is stuck and send what is overdue, for a few seconds; returns how many were claimed."""
    _take_over()
    stop_at = time.monotonic() + SWEEP_FOR_S
    total = 0
    while True:
        claimed = _claim("due_at <= clock_timestamp() - make_interval(secs => %s)", [SWEEP_BEHIND_S])
        _deliver(claimed, provider())
        total += len(claimed)
        if len(claimed) < BATCH or time.monotonic() > stop_at:
            return total


def _claim(which: str, parameters: list[Any]) -> list[Claimed]:
    """Up to 100 rows are ours now, committed. SKIP LOCKED: another sender's rows are another sender's."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE notifications_notification SET status = 'sending', tries = tries + 1, claimed_at = clock_timestamp()
            WHERE id = ANY(ARRAY(
                SELECT id FROM notifications_notification WHERE status = 'pending' AND {which}
                ORDER BY due_at, id LIMIT {BATCH} FOR UPDATE SKIP LOCKED
            ))
            RETURNING id::text, channel, "to", subject, text, tries
            """,  # noqa: S608  (`which` is one of the two texts above)
            parameters,
        )
        rows = cursor.fetchall()
    # By id, which is by birth: a phone shows them in the order they were written.
    return [Claimed(Outgoing(*row[:5]), tries=row[5]) for row in sorted(rows)]


def _deliver(claimed: Sequence[Claimed], carrier: Provider) -> None:
    if not claimed:
        return
    messages = [item.message for item in claimed]
    try:
        receipts = carrier.send_batch(messages)
    except ProviderDown as error:
        reason = f"provider down: {error}"
        receipts = [Receipt(message.idempotency_key, Outcome.RETRY, reason) for message in messages]
    crashpoint("notifications.sent")
    _settle(claimed, receipts)


def _settle(claimed: Sequence[Claimed], receipts: Sequence[Receipt]) -> None:
    """Write down what the provider said, in two statements.

    Sent is sent, even if someone took the row over meanwhile. Any other answer counts only while the claim is ours.
    """
    tries = {item.message.idempotency_key: item.tries for item in claimed}
    sent = [receipt.idempotency_key for receipt in receipts if receipt.outcome is Outcome.SENT]
    unsent: list[tuple[str, int, float | None, str]] = []
    for receipt in receipts:
        if receipt.outcome is not Outcome.SENT:
            tried = tries[receipt.idempotency_key]
            wait_s = RETRY.delay_s(tried) if receipt.outcome is Outcome.RETRY else None
            unsent.append((receipt.idempotency_key, tried, wait_s, receipt.reason))
    with connection.cursor() as cursor:
        if sent:
            cursor.execute(
                """
                UPDATE notifications_notification SET status = 'sent', sent_at = clock_timestamp(), reason = ''
                WHERE id = ANY(%s::uuid[]) AND status <> 'sent'
                """,
                [sent],
            )
        if unsent:
            cursor.execute(
                """
                UPDATE notifications_notification AS row
                SET status = CASE WHEN wait_s IS NULL THEN 'failed' ELSE 'pending' END,
                    due_at = clock_timestamp() + make_interval(secs => coalesce(wait_s, 0)),
                    reason = news.reason
                FROM unnest(%s::uuid[], %s::int[], %s::float8[], %s::text[]) AS news (id, tries, wait_s, reason)
                WHERE row.id = news.id AND row.tries = news.tries AND row.status = 'sending'
                """,
                [list(column) for column in zip(*unsent, strict=True)],
            )
    lost = [reason for _, _, wait_s, reason in unsent if wait_s is None]
    if lost:
        log.error("%d messages can't be sent, the first because: %s", len(lost), lost[0])


def _take_over() -> None:
    """Rows whose sender went silent are pending again; after the last try they are given up, and say so."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE notifications_notification
            SET status = CASE WHEN tries < %s THEN 'pending' ELSE 'failed' END,
                reason = 'no answer from the sender or the provider; it may have been sent'
            WHERE status = 'sending' AND claimed_at < clock_timestamp() - make_interval(secs => %s)
            """,
            [RETRY.max_attempts, TAKE_OVER_AFTER_S],
        )
