"""Celery's entry points: sweeps. Each may run any number of times, anywhere, at once."""

from __future__ import annotations

from celery import shared_task

from payments import services
from payments.demo_bank.delivery import deliver_due_webhooks

BATCH = 500


@shared_task(name="payments.tasks.expire_unpaid")
def expire_unpaid() -> None:
    """Expire whatever is over its time, in transactions of at most BATCH."""
    while services.expire_unpaid_payments(limit=BATCH) == BATCH:
        pass


@shared_task(name="payments.tasks.deliver_bank_webhooks")
def deliver_bank_webhooks() -> None:
    """Tell the shop what it has not heard: run after every press of a button at the demo bank, and as a sweep."""
    deliver_due_webhooks()
