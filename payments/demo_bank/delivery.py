"""The bank's side of the webhook: post what the shop has not taken yet, again and again, until it says 2xx."""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.urls import reverse

from payments.demo_bank.models import DemoWebhook
from payments.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, webhook_secret

TIMEOUT_S = 5.0
FIRST_RETRY_S, LONGEST_RETRY_S = 5, 60
MOST_BATCHES = 20  # a task ends, though buttons are pressed all the time; the next one goes on

# The claim already books the next try. A sender that dies right after it, at any point, has lost nothing; one that is
# slower than that makes a second delivery, which the shop knows by its event id.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT event_id FROM payments_demowebhook
        WHERE delivered_at IS NULL AND next_try_at <= statement_timestamp()
        ORDER BY next_try_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE payments_demowebhook AS webhook
    SET attempts = attempts + 1,
        next_try_at = statement_timestamp() + make_interval(secs => least(%s * 2 ^ least(attempts, 10), %s))
    FROM due WHERE webhook.event_id = due.event_id
    RETURNING webhook.event_id, webhook.body
"""


class DeliveryFailed(Exception):
    """The shop did not say 2xx."""


def deliver_due_webhooks(*, limit: int = 50) -> int:
    """Post what is due, oldest first, up to MOST_BATCHES of `limit`; how many the shop took.

    Ends at the first failure: the shop is unwell, and the others would wait for their time-outs one by one.
    """
    delivered = 0
    with closing(_connect()) as shop:
        for _ in range(MOST_BATCHES):
            batch = _claim(limit)
            if not batch:
                break
            for event_id, body in batch:
                try:
                    _post(shop, event_id, body.encode())
                except DeliveryFailed as failure:
                    DemoWebhook.objects.filter(event_id=event_id).update(last_error=str(failure)[:200])
                    return delivered
                DemoWebhook.objects.filter(event_id=event_id).update(delivered_at=Now(), last_error="")
                delivered += 1
    return delivered


def _claim(limit: int) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [limit, FIRST_RETRY_S, LONGEST_RETRY_S])
        return [(event_id, body) for event_id, body in cursor.fetchall()]


def _connect() -> http.client.HTTPConnection:
    parts = urlsplit(settings.SELF_URL)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_S)


def _post(shop: http.client.HTTPConnection, event_id: str, body: bytes) -> None:
    timestamp = int(time.time())  # signed anew for every try, or a late one would be stale
    headers = {
        "Content-Type": "application/json",
        ID_HEADER: event_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: sign(event_id=event_id, timestamp=timestamp, body=body, secret=webhook_secret()),
    }
    path = urlsplit(settings.SELF_URL).path.rstrip("/") + reverse("payments:webhook")
    try:
        shop.request("POST", path, body=body, headers=headers)
        response = shop.getresponse()
        answer = response.read(500)
        response.close()
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
    if not 200 <= response.status < 300:
        raise DeliveryFailed(f"{response.status}: {answer.decode(errors='replace')}")
