"""Celery's entry points: the inbox's upkeep, and dead letters moved in the background.

Not the relay's work: a look through every log takes minutes when they are long, and the relay has an event to tell
within the second. One beat per house starts them; two at once would only do the same work twice.
"""

from __future__ import annotations

import logging

from celery import shared_task
from redis.exceptions import RedisError

from queueing.console import runs
from queueing.console.moving import prune
from queueing.errors import BrokerUnavailable

logger = logging.getLogger("queueing.pruning")


@shared_task(name="queueing.prune")
def prune_inbox() -> None:
    """Delete inbox rows of messages that can no longer come."""
    try:
        gone = prune()
    except (BrokerUnavailable, RedisError) as error:
        logger.warning("nothing was pruned: %s", error)
        return
    if any(gone.values()):
        logger.info("inbox rows pruned: %s", ", ".join(f"{group} {rows:,}" for group, rows in gone.items() if rows))


@shared_task(name="queueing.move_letters")
def move_letters(run_id: str) -> None:
    """Go on with what an operator began on the page. Safe to run any number of times."""
    runs.work(run_id)


@shared_task(name="queueing.sweep_letters")
def sweep_letters() -> None:
    """Go on with what no task goes on with: the broker was away, a worker died, or its turn was over."""
    for run in runs.waiting():
        runs.work(run.pk)
