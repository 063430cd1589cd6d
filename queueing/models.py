"""The queue's tables: events waiting to be told (outbox), messages already acted on (inbox), and who may still act on
a partition in ordered mode (fence, epoch)."""

from __future__ import annotations

from django.db import models

from queueing.letter_run import LetterRun  # noqa: F401  (Django looks for models here)


class OutboxMessage(models.Model):
    """An event committed with the facts it tells, waiting for the relay.

    `id` is drawn from a sequence while the order's row lock is held, so that ids of one key are in commit order.
    `lane` (crc32(key) mod 16) is owned by one relay at a time; rows of one key never overtake each other.
    """

    id = models.BigAutoField(primary_key=True)
    lane = models.SmallIntegerField()
    message_id = models.UUIDField(unique=True)
    topic = models.CharField(max_length=100)
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=100)
    version = models.SmallIntegerField(default=1)
    body = models.TextField()
    headers = models.JSONField(default=dict)
    produced_at_ms = models.BigIntegerField()
    deliver_at_ms = models.BigIntegerField(default=0, db_default=0)  # 0: at once

    class Meta:
        indexes = [models.Index(fields=["lane", "id"])]

    def __str__(self) -> str:
        return f"{self.name} {self.key}"


class InboxEntry(models.Model):
    """This consumer group has acted on this message, committed together with what it did."""

    pk = models.CompositePrimaryKey("group", "message_id")
    group = models.CharField(max_length=60)
    message_id = models.UUIDField()
    handled_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "inbox entries"

    def __str__(self) -> str:
        return f"{self.group} {self.message_id}"


class InboxGeneration(models.Model):
    """How often a rebuildable group was told to process everything again. Each time, it gets an empty inbox."""

    group = models.CharField(max_length=50, primary_key=True)
    number = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.group}#{self.number}"


class Fence(models.Model):
    """The highest token that was admitted to a partition, for one ordered group: whoever has a lower one cannot commit.

    A token is (epoch, n): see queueing/leases.py.
    """

    pk = models.CompositePrimaryKey("group", "topic", "partition")
    group = models.CharField(max_length=60)
    topic = models.CharField(max_length=100)
    partition = models.CharField(max_length=100)
    epoch = models.BigIntegerField()
    n = models.BigIntegerField()

    class Meta:
        db_table = "queueing_fence"

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} {self.epoch}.{self.n}"


class Epoch(models.Model):
    """One row, or none for epoch 1: raised when Redis was found to have run backwards, or by an operator."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField()

    class Meta:
        db_table = "queueing_epoch"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="queueing_epoch_is_one_row")]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class Tide(models.Model):
    """One row, or none before the relay told anything: the broker's high-water mark (queueing/tide.py)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    told = models.BigIntegerField()

    class Meta:
        db_table = "queueing_tide"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="queueing_tide_is_one_row")]

    def __str__(self) -> str:
        return f"tide {self.told}"


class ScaleEvent(models.Model):
    """What the autoscaler decided on a group, and why.

    direction: up, down or hold (the first of its kind), or replaced: a consumer that ended or stood still.
    cap: messages a second, None where nothing caps what holds most of the lag. supervisor: who decided.
    """

    class Direction(models.TextChoices):
        UP = "up"
        DOWN = "down"
        HOLD = "hold"
        REPLACED = "replaced"

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    group = models.CharField(max_length=60)
    direction = models.CharField(max_length=10, choices=Direction.choices)
    lag = models.BigIntegerField()
    slope_per_s = models.FloatField()
    acked_per_s = models.FloatField()
    produced_per_s = models.FloatField()
    cap = models.FloatField(null=True)
    desired = models.IntegerField()
    actual = models.IntegerField()
    reason = models.TextField()
    supervisor = models.CharField(max_length=200)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["at"]), models.Index(fields=["group", "at"])]

    def __str__(self) -> str:
        return f"{self.group} {self.direction} to {self.desired}: {self.reason}"


class LoadRun(models.Model):
    """What the charts showed during a load run, kept because the queue remembers its seconds for an hour only.

    step_s: seconds between two points. lines: group and "all" → lag, produced/s and consumed/s, from `began` on.
    """

    name = models.CharField(max_length=100)
    began = models.DateTimeField()
    ended = models.DateTimeField()
    step_s = models.IntegerField()
    lines = models.JSONField()

    class Meta:
        ordering = ["-began", "-id"]

    def __str__(self) -> str:
        return f"{self.name}, {self.began:%d %b %Y %H:%M:%S} UTC"


class Queue(models.Model):
    """No table: what the operators' permission and their rows in the admin's log refer to."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [("operate", "Can operate the queue")]
        verbose_name = "queue"
        verbose_name_plural = "queue"

    def __str__(self) -> str:
        return "queue"
