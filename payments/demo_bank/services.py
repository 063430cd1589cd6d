"""What happens at the bank when a button is pressed: the fact and the webhook that will tell it, in one commit."""

from __future__ import annotations

import json
import logging
from uuid import UUID

import uuid_utils.compat as uuid
from django.db import transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as CeleryUnreachable

from payments.demo_bank.models import DemoCharge, DemoWebhook
from payments.tasks import deliver_bank_webhooks

log = logging.getLogger(__name__)


@transaction.atomic
def pay_charge(*, charge_id: UUID) -> bool:
    """Take the money; False if it was taken before (a double click, an old tab)."""
    taken = DemoCharge.objects.filter(id=charge_id, status=DemoCharge.Status.OPEN).update(
        status=DemoCharge.Status.PAID, paid_at=Now()
    )
    if taken:
        _tell(charge_id, "charge.captured")
    return bool(taken)


@transaction.atomic
def decline_charge(*, charge_id: UUID, reason: str = "card_declined") -> bool:
    """Refuse this try; the charge stays open. False if it is paid already."""
    charge = DemoCharge.objects.select_for_update().get(id=charge_id)
    if charge.status == DemoCharge.Status.PAID:
        return False
    _tell(charge_id, "charge.declined", reason=reason)
    return True


def _tell(charge_id: UUID, what: str, **more: str) -> None:
    charge = DemoCharge.objects.get(id=charge_id)
    body = {
        "type": what,
        "charge_id": str(charge.id),
        "order_id": charge.reference,
        "amount_cents": charge.amount_cents,
        "currency": charge.currency,
        **more,
    }
    DemoWebhook.objects.create(
        event_id=f"evt_{uuid.uuid7().hex}", charge=charge, body=json.dumps(body, separators=(",", ":"))
    )
    transaction.on_commit(_nudge)


def _nudge() -> None:
    """Have it delivered now instead of at the next sweep."""
    try:
        deliver_bank_webhooks.apply_async(retry=False, expires=60)
    except CeleryUnreachable as error:
        log.warning("the webhook waits for the next sweep: %s", error)
