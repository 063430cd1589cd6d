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
    # Counts the gate's lives; a rebuild after lost data begins a new one.
    epoch = models.PositiveIntegerField(default=1)
    # gate_types.Terms as the shop announced them last, for a rebuild. NULL: announced before they were kept.
    terms = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "sale stocks"
        constraints = [
            models.CheckConstraint(
                name="sold_within_stock", condition=Q(sold__gte=0) & Q(sold__lte=F("initial") + F("added"))
            )
        ]

    def __str__(self) -> str:
        return f"sale {self.sale_id}: {self.sold} of {self.initial + self.added} sold"


class Store(models.Model):
    """One row: what PostgreSQL knows of the Redis that admits.

    lost_at: set until all that was lost is made good.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    run_id = models.CharField(max_length=64)
    approved_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="inventory_store_is_one_row")]

    def __str__(self) -> str:
        return f"run {self.run_id}"


class Rebuild(models.Model):
    """One sale's gate lost its data: closed, and opened again in this epoch with what PostgreSQL knows."""

    id = models.BigAutoField(primary_key=True)
    sale_id = models.BigIntegerField()
    epoch = models.PositiveIntegerField()  # that it begins
    reason = models.CharField(max_length=200)
    closed_at = models.DateTimeField(db_default=Now())
    opened_at = models.DateTimeField(null=True)
    stock = models.IntegerField(null=True)  # units it was opened with

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sale_id", "epoch"], name="one_rebuild_per_epoch")]
        indexes = [models.Index(name="unfinished_rebuild", fields=["sale_id"], condition=Q(opened_at=None))]

    def __str__(self) -> str:
        return f"sale {self.sale_id}, epoch {self.epoch}"


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
