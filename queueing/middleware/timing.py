"""How long batches take, for the log line a slow one deserves."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from queueing.message import Delivery
from queueing.middleware import Step

logger = logging.getLogger("queueing.worker")
SLOW_S = 2.0


def timing(batch: Sequence[Delivery], following: Step) -> None:
    """Warn when a batch takes more than SLOW_S seconds: its lease is running."""
    started = time.monotonic()
    following(batch)
    took = time.monotonic() - started
    if took > SLOW_S:
        logger.warning("a batch of %d %s took %.1f s", len(batch), batch[0].message.name, took)
