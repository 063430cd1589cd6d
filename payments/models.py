"""What the shop knows of its money. The payment row is the one arbiter: paid, expired or cancelled."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q

from payments.demo_bank.models import DemoCharge, DemoRefund, DemoWebhook

__all__ = ["Charge", "DemoCharge", "DemoRefund", "DemoWebhook", "Payment", "Refund", "WebhookEvent"]


class Payment(models.Model):
    """One per confirmed order. It leaves `pending` once, by one conditional UPDATE (payments/arbiter.py)."""

    class Status(models.TextChoices):
        PENDING = "pending"
        PAID = "paid"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    order_id = models.UUIDField(primary_key=True)
    sale_id = models.BigIntegerField()
    user_id = models.BigIntegerField(db_index=True)
    amount_cents = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    due_at = models.DateTimeField()
    declines = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="payment_amount", condition=Q(amount_cents__gte=0)),
            models.CheckConstraint(
                name="payment_status", condition=Q(status__in=["pending", "paid", "expired", "cancelled"])
            ),
            models.CheckConstraint(
                name="payment_settled_once_decided",
                condition=Q(status="pending", settled_at__isnull=True)
                | (~Q(status="pending") & Q(settled_at__isnull=False)),
            ),
        ]
        # All the sweep reads: settled payments, in the end nearly all of them, are not in it.
        indexes = [models.Index(name="payment_due", fields=["due_at"], condition=Q(status="pending"))]

    def __str__(self) -> str:
        return f"{self.order_id} {self.status}"


class Charge(models.Model):
    """Money the shop asked the provider for. `captured_at` is set once, when the provider has the money.

    Σ captured - Σ refunds = Σ paid payments, at every commit.
    """

    id = models.CharField(primary_key=True, max_length=64)  # the provider's own id
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="charges")
    amount_cents = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    captured_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Refund(models.Model):
    """Money that came too late, or twice, on its way back. The id is the provider's idempotency key."""

    class Status(models.TextChoices):
        REQUESTED = "requested"
        SUCCEEDED = "succeeded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid7)
    charge = models.OneToOneField(Charge, on_delete=models.PROTECT)  # one: no charge goes back twice
    order_id = models.UUIDField(db_index=True)
    amount_cents = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    reason = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class WebhookEvent(models.Model):
    """Every genuine call of the provider, once per event id, with what came of it."""

    class Outcome(models.TextChoices):
        RECEIVED = "received"  # only inside the transaction that decides
        CAPTURED = "captured"
        REFUNDED = "refunded", "refunded: the money came too late or twice"
        DECLINED = "declined"
        NO_EFFECT = "no_effect", "no effect: known already, or overtaken"
        QUARANTINED = "quarantined", "quarantined: it contradicts what the shop asked for"

    event_id = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=40)
    charge_id = models.CharField(max_length=64)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.RECEIVED, db_index=True)
    note = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.event_id} {self.outcome}"
