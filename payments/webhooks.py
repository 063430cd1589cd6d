"""What the bank tells, from genuine bytes to an effect that happens once."""

from __future__ import annotations

import logging
from typing import Annotated
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction
from msgspec import Meta

from payments.errors import WebhookRejected
from payments.models import Charge, WebhookEvent
from payments.money import capture_charge, record_decline
from queueing.crashpoint import crashpoint

log = logging.getLogger(__name__)
Outcome = WebhookEvent.Outcome
CAPTURED, DECLINED = "charge.captured", "charge.declined"


class Notice(msgspec.Struct, kw_only=True):
    """The body. Fields we do not know are the bank's business; those we know must have their shape."""

    type: Annotated[str, Meta(pattern=r"\A[a-z._]{1,40}\Z")]
    charge_id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
    order_id: str
    amount_cents: Annotated[int, Meta(ge=0, le=2**62)]
    currency: str
    reason: Annotated[str, Meta(pattern=r"\A[a-z0-9_]{0,40}\Z")] = ""


def receive_webhook(*, event_id: str, body: bytes) -> WebhookEvent.Outcome:
    """Act on a genuine call, once per event id; a second call with the id waits for the first and does nothing.

    What contradicts the shop's own record (amount, currency, order, a charge nobody asked for) is quarantined:
    stored for a person to look at, without effect, and answered as received, since sending it again changes nothing.

    Raises:
        WebhookRejected: 400, the body is not JSON of this shape.
    """
    notice = _decode(body)
    with transaction.atomic():
        if not _first_time(event_id, notice, body):
            return Outcome.NO_EFFECT
        outcome, note = _act(notice)
        WebhookEvent.objects.filter(event_id=event_id).update(outcome=outcome, note=note)
    if outcome is Outcome.CAPTURED:
        crashpoint("payments.captured")
    if outcome is Outcome.QUARANTINED:
        log.error("webhook %s quarantined: %s", event_id, note)
    return outcome


def _decode(body: bytes) -> Notice:
    try:
        if b"\0" in body:  # PostgreSQL stores no NUL
            raise ValueError("a NUL byte")
        body.decode()
        return msgspec.json.decode(body, type=Notice)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WebhookRejected("malformed_json", f"the body is not a notice: {error}") from error


def _first_time(event_id: str, notice: Notice, body: bytes) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_webhookevent (event_id, kind, charge_id, outcome, note, body, received_at)"
            " VALUES (%s, %s, %s, 'received', '', %s, statement_timestamp()) ON CONFLICT DO NOTHING",
            [event_id, notice.type, notice.charge_id, body.decode()],
        )
        return bool(cursor.rowcount)


def _act(notice: Notice) -> tuple[WebhookEvent.Outcome, str]:
    if notice.type not in (CAPTURED, DECLINED):
        return Outcome.NO_EFFECT, "of a type this shop does not use"
    charge = Charge.objects.filter(id=notice.charge_id).first()
    if charge is None:
        return Outcome.QUARANTINED, "no such charge was asked for"
    if contradiction := _contradiction(notice, charge):
        return Outcome.QUARANTINED, contradiction
    order_id: UUID = charge.payment_id
    if notice.type == CAPTURED:
        return Outcome(capture_charge(charge_id=charge.id)), ""
    return Outcome(record_decline(order_id=order_id, reason=notice.reason or "declined")), ""


def _contradiction(notice: Notice, charge: Charge) -> str:
    """Where the bank's word differs from what the shop asked for; '' if nowhere."""
    for what, told, asked in (
        ("order", notice.order_id, str(charge.payment_id)),
        ("amount", notice.amount_cents, charge.amount_cents),
        ("currency", notice.currency, settings.CURRENCY),
    ):
        if told != asked:
            return f"{what} {str(told)[:60]!r} where {asked!r} was asked for"
    return ""
