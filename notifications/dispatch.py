"""Hands freshly written messages to the Celery workers."""

from __future__ import annotations

import logging

from kombu.exceptions import OperationalError

from notifications.sending import BATCH
from notifications.tasks import send

log = logging.getLogger(__name__)


def send_soon(ids: list[str]) -> None:
    """One task per 100 messages. If Celery's broker is away they stay pending, and the sweep sends them.

    Asked once, without retries: the caller is a consumer with the next batch of orders waiting.
    """
    try:
        for start in range(0, len(ids), BATCH):
            send.apply_async([ids[start : start + BATCH]], retry=False)
    except OperationalError as error:
        log.warning("Celery's broker is away, the sweep will send %d messages: %s", len(ids), error)
