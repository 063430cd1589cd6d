"""The demo bank's own books. The shop reads none of them: like any shop, it hears of money by webhook."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class DemoCharge(models.Model):
    """Money somebody may pay. A declined try leaves it open; paid is for ever.

    The id is drawn at random because whoever knows it may pay, as with any bank's payment link.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        PAID = "paid"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    idempotency_key = models.CharField(max_length=64, unique=True)
    reference = models.CharField(max_length=64)
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    return_url = models.URLField(max_length=300)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(name="demo_charge_amount", condition=Q(amount_cents__gte=0))]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class DemoRefund(models.Model):
    """A charge paid back. The key is the shop's: asking twice with it pays back once."""

    idempotency_key = models.CharField(primary_key=True, max_length=64)
    charge = models.OneToOneField(DemoCharge, on_delete=models.PROTECT)
    amount_cents = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.idempotency_key


class DemoWebhook(models.Model):
    """What the bank must tell the shop, written together with the fact, told until the shop says 2xx."""

    event_id = models.CharField(primary_key=True, max_length=64)
    charge = models.ForeignKey(DemoCharge, on_delete=models.PROTECT)
    body = models.TextField()
    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(name="demo_webhook_due", fields=["next_try_at"], condition=Q(delivered_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {'delivered' if self.delivered_at else 'waiting'}"
