"""The stock ledger: PostgreSQL's word on what was sold. The gate in Redis is fast; this is right."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class SaleStock(models.Model):
    """One sale's stock. The CHECK makes an oversell impossible, whatever the code above it does."""

    sale_id = models.BigIntegerField(primary_key=True)
    title = models.CharField(max_length=200, blank=True)
    initial = models.PositiveIntegerField()
    added = models.PositiveIntegerField(default=0)
    sold = models.IntegerField(default=0)
    epoch = models.PositiveIntegerField(
        default=1
    )  # counts the gate's lives; a rebuild after lost data begins a new one

    class Meta:
        verbose_name_plural = "sale stocks"
        constraints = [
            models.CheckConstraint(
                name="sold_within_stock", condition=Q(sold__gte=0) & Q(sold__lte=F("initial") + F("added"))
            )
        ]

    def __str__(self) -> str:
        return f"sale {self.sale_id}: {self.sold} of {self.initial + self.added} sold"


class LedgerEntry(models.Model):
    """One movement of stock. Unique per order and kind, so a movement told twice moves once.

    `applied_at` is when the gate in Redis took the movement in: for `open`, `add` and `return`. Orders were deducted
    there before they came here, so a `deduct` has none.
    """

    class Kind(models.TextChoices):
        OPEN = "open"
        ADD = "add"
        DEDUCT = "deduct"
        RETURN = "return"

    id = models.BigAutoField(primary_key=True)
    sale_id = models.BigIntegerField()
    order_id = models.UUIDField(null=True)
    addition_id = models.CharField(max_length=60, null=True, unique=True)
    user_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=6, choices=Kind)
    quantity = models.PositiveIntegerField()
    applied_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["order_id", "kind"], name="one_entry_per_order_and_kind"),
            models.UniqueConstraint(fields=["sale_id"], condition=Q(kind="open"), name="one_opening_per_sale"),
        ]
        indexes = [models.Index(fields=["sale_id", "kind"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity} of sale {self.sale_id}"
