"""Orders, how they came to be what they are, and what orders knows of the goods."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orders.states import Status


class Order(models.Model):
    """One admitted order. Its price is the server's, fixed at admission.

    The unique row over (sale, user, idempotency key) answers a repeated request long after Redis forgot it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sale_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    idempotency_key = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField()
    price_cents = models.PositiveBigIntegerField()
    total_cents = models.PositiveBigIntegerField()
    status = models.CharField(max_length=9, choices=Status)
    epoch = models.PositiveIntegerField()
    seq = models.PositiveBigIntegerField()
    placed_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True)
    tracking_number = models.CharField(max_length=60, null=True)
    reject_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sale_id", "user_id", "idempotency_key"], name="one_order_per_key"),
            models.CheckConstraint(
                name="total_is_price_times_quantity", condition=Q(total_cents=F("price_cents") * F("quantity"))
            ),
        ]
        indexes = [models.Index(fields=["user_id", "-placed_at"]), models.Index(fields=["sale_id", "status"])]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class Transition(models.Model):
    """One step of one order: the history that the audit walks along the graph."""

    id = models.BigAutoField(primary_key=True)
    order_id = models.UUIDField()
    from_status = models.CharField(max_length=9, blank=True)
    to_status = models.CharField(max_length=9)
    cause = models.CharField(max_length=100)  # the wire name of the event that moved it
    at = models.DateTimeField(db_default=Now())

    class Meta:
        # An order enters each status once: a step that would be taken twice fails here if the code above let it pass.
        constraints = [models.UniqueConstraint(fields=["order_id", "to_status"], name="one_step_into_each_status")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.from_status or 'birth'} → {self.to_status}"


class Void(models.Model):
    """A line drawn when a sale's gate lost its data: of the epochs before it only the spared may still get a row.

    See orders/voiding.py. A sale whose gate never lost anything has none.
    """

    sale_id = models.BigIntegerField(primary_key=True)
    before_epoch = models.PositiveIntegerField()
    spared = models.JSONField(default=list)  # order ids, safe in the retry set or among the dead letters

    def __str__(self) -> str:
        return f"sale {self.sale_id} before epoch {self.before_epoch}"


class Offer(models.Model):
    """What a sale sells, as the shop told it: orders' own copy, so that its pages need nobody else's tables."""

    sale_id = models.BigIntegerField(primary_key=True)
    title = models.CharField(max_length=200)
    picture = models.CharField(max_length=200)
    price_cents = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return self.title
