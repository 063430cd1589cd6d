"""The table of what is done to dead letters in the background."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class LetterRun(models.Model):
    """All dead letters that match a choice, to be replayed or purged: counted, agreed to, worked off in the background.

    The row is the whole state, so a run outlives the page that began it and the process that works it off: whoever
    finds it held by nobody goes on behind `past` (queueing/console/runs.py).

    total, reasons: what the count came to. skipped: quarantined ones left alone. in_hand: letters whose move began and
    was not noted yet. looked: how many were counted so far. trouble: why it stands still for the moment.
    """

    class Action(models.TextChoices):
        REPLAY = "replay"
        PURGE = "purge"

    class State(models.TextChoices):
        COUNTING = "counting"
        ASKING = "asking"
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True)
    action = models.CharField(max_length=10, choices=Action.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.COUNTING)
    choice = models.JSONField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    looked = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    reasons = models.JSONField(default=list)
    also_quarantined = models.BooleanField(default=False)
    moved = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    in_hand = models.JSONField(default=list)
    past = models.JSONField(null=True)
    trouble = models.TextField(blank=True, default="")
    holder = models.UUIDField(null=True)
    held_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    entry = models.ForeignKey("admin.LogEntry", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(state__in=["counting", "running"]), name="letter_runs_at_work"
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.choice}: {self.state}"
