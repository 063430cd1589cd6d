"""Celery's entry point to the inbox's upkeep.

Not the relay's: a look through every log takes minutes when they are long, and the relay has an event to tell within
the second. One beat per house starts it; two at once would only do the same work twice.
"""

from __future__ import annotations

import logging

from celery import shared_task
from redis.exceptions import RedisError

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
