"""Is this call really from the bank, as it was sent, and fresh? After https://www.standardwebhooks.com.

Signed are `<event id>.<timestamp>.<raw body>`. Neither an id nor a timestamp can hold a dot, so no two calls share
one signed text. The signature is compared as text, never decoded: base64 has several spellings of the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from django.conf import settings
from django.utils.crypto import salted_hmac

from payments.errors import WebhookRejected

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"
TOLERANCE_S = 300  # both directions: an old call is a replay, a future one is a replay being prepared
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_SIGNATURES = 5  # while a secret is being changed a call carries one per secret


def webhook_secret() -> bytes:
    """settings.PAYMENT_WEBHOOK_SECRET, or one derived from SECRET_KEY that nothing else is signed with."""
    if settings.PAYMENT_WEBHOOK_SECRET:
        return settings.PAYMENT_WEBHOOK_SECRET.encode()
    return salted_hmac("payments.webhook", "secret", algorithm="sha256").digest()


def sign(*, event_id: str, timestamp: int, body: bytes, secret: bytes) -> str:
    """The value of the Webhook-Signature header. `timestamp`: seconds since 1970 UTC."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def verify(*, event_id: str, timestamp: str, signature: str, body: bytes, secret: bytes, now_s: float) -> None:
    """Return if the call is genuine.

    Raises:
        WebhookRejected: 401 for a header that is missing, misshapen or does not fit, 400 for another time.
    """
    if not _EVENT_ID.fullmatch(event_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookRejected("bad_signature", "the webhook headers are missing or misshapen", status=401)
    expected = sign(event_id=event_id, timestamp=int(timestamp), body=body, secret=secret).encode()
    given = signature.encode("utf-8", "surrogateescape").split(b" ", _MOST_SIGNATURES)
    if not any(hmac.compare_digest(expected, each) for each in given):
        raise WebhookRejected("bad_signature", "the signature does not fit the body", status=401)
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise WebhookRejected("stale_timestamp", f"the call is more than {TOLERANCE_S} s away from now")
