"""Celery's entry points: a batch of messages a task, never a task a message."""

from __future__ import annotations

from celery import shared_task

from notifications import sending


@shared_task(name="notifications.send")
def send(ids: list[str]) -> None:
    """Send these messages, as far as nobody else has or is. Safe to run any number of times."""
    sending.send(ids)


@shared_task(name="notifications.sweep")
def sweep() -> None:
    """Send what no task sent: the broker was away, a worker died, or a provider asked us to come back."""
    sending.sweep()
