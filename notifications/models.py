"""What people are told about their orders and operators about the house, and the demo phone that shows it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from queueing.message import new_id


class Channel(models.TextChoices):
    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")


class Notification(models.Model):
    """One message to one person about one fact, sent once.

    The unique constraints make it one message, however often the fact is told. `id` is the idempotency
    key the provider sees, so it never changes between tries. All times are PostgreSQL's.
    """

    class Kind(models.TextChoices):
        RECEIVED = "received", _("order received")
        CONFIRMED = "confirmed", _("please pay")
        PAID = "paid", _("paid")
        PAYMENT_FAILED = "payment_failed", _("payment failed")
        SHIPPED = "shipped", _("shipped")
        DELIVERED = "delivered", _("delivered")
        EXPIRED = "expired", _("expired")
        REJECTED = "rejected", _("rejected")
        CANCELLED = "cancelled", _("cancelled")
        REFUNDED = "refunded", _("refunded")
        ALERT = "alert", _("something is wrong")
        RESOLVED = "resolved", _("it is over")

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        SENDING = "sending", _("sending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField(null=True, help_text=_("Empty for what operators are told."))
    incident_id = models.UUIDField(null=True, editable=False)
    user_id = models.BigIntegerField()
    kind = models.CharField(max_length=20, choices=Kind)
    channel = models.CharField(max_length=10, choices=Channel)
    attempt = models.SmallIntegerField(default=1, help_text=_("Which declined payment; 1 for every other kind."))
    to = models.CharField(max_length=254)
    subject = models.CharField(max_length=200, blank=True, help_text=_("Empty for SMS."))
    text = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    tries = models.SmallIntegerField(default=0, help_text=_("Times the provider was, or may have been, asked."))
    reason = models.TextField(blank=True, help_text=_("Why the last try failed."))
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now(), help_text=_("Not sent before this."))
    claimed_at = models.DateTimeField(null=True, help_text=_("When a sender took it; taken over 60 s later."))
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order_id", "kind", "channel", "attempt"], name="notification_once"),
            models.UniqueConstraint(
                fields=["incident_id", "user_id", "kind", "channel"], name="notification_of_incident_once"
            ),
            models.CheckConstraint(
                condition=models.Q(order_id=None) ^ models.Q(incident_id=None), name="notification_about_one_thing"
            ),
        ]
        indexes = [
            models.Index(fields=["user_id", "order_id"], name="notification_of_user"),
            # Only what is still to be sent: the sweep's questions stay cheap however long the history grows.
            models.Index(fields=["due_at"], name="notification_pending", condition=models.Q(status="pending")),
            models.Index(fields=["claimed_at"], name="notification_sending", condition=models.Q(status="sending")),
        ]

    def __str__(self) -> str:
        about = f"order {self.order_id}" if self.order_id else f"incident {self.incident_id}"
        return f"{self.kind} by {self.channel} for {about}"


class Incident(models.Model):
    """Something of the house that is, or was, wrong (notifications/incidents.py). One at a time of a rule and thing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.CharField(max_length=60)
    about = models.CharField(max_length=100, help_text=_("A consumer group, or a sale."))
    text = models.CharField(max_length=300)
    since = models.DateTimeField(help_text=_("When it was seen first."))
    seen_at = models.DateTimeField(help_text=_("When it was seen last."))
    opened_at = models.DateTimeField(null=True, help_text=_("When operators were told; empty: it did not last yet."))
    quiet_since = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True, help_text=_("When operators were told that it is over."))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "about"], condition=models.Q(resolved_at=None), name="incident_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.about}"


class PhoneMessage(models.Model):
    """A message as it arrived on the demo phone: the demo provider's own memory.

    A provider knows an address and a key, not a user. Whose message it is, is found by the key.
    """

    id = models.BigAutoField(primary_key=True)
    idempotency_key = models.UUIDField(unique=True)
    channel = models.CharField(max_length=10, choices=Channel)
    to = models.CharField(max_length=254)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.channel} to {self.to}"
