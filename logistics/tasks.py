"""Celery's entry point: a sweep. It may run any number of times, anywhere, at once."""

from __future__ import annotations

from celery import shared_task

from logistics import services

BATCH = 500
MOST_BATCHES = 20  # a sweep ends, whatever the carrier says; what is left is due for the next one


@shared_task(name="logistics.tasks.advance_shipments")
def advance_shipments() -> None:
    """Ask about the parcels that are due, in transactions of at most BATCH."""
    for _ in range(MOST_BATCHES):
        if services.advance_shipments(limit=BATCH) < BATCH:
            return
