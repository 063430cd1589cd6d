"""The recovery as the relay calls it each second (settings.QUEUEING["UPKEEP"])."""

from __future__ import annotations

import logging
import time

import redis
from django.db import DatabaseError

from config.recovery.look import NotPrimary
from config.recovery.turn import turn
from queueing.db import away_is_not_failure

logger = logging.getLogger(__name__)

SAY_AGAIN_S = 10.0
_said: dict[str, float] = {}


def recover() -> None:
    """One turn. What keeps it from being done is said every ten seconds; the relay goes on with its own work.

    Raises:
        StoreUnavailable: PostgreSQL is away.
    """
    try:
        with away_is_not_failure():
            done = turn()
    except NotPrimary as error:
        _say(str(error))
    except redis.RedisError as error:
        _say(f"Redis is away: {error}")
    except DatabaseError as error:  # a consumer that stands still with a lock; its session will end
        _say(f"the recovery goes on later: {error}")
    else:
        for sale_id, why in done.waiting.items():
            _say(f"sale {sale_id} stays closed: {why}")


def _say(what: str) -> None:
    now = time.monotonic()
    kind = what.rstrip("0123456789")
    if now - _said.get(kind, float("-inf")) >= SAY_AGAIN_S:
        _said[kind] = now
        logger.warning("%s", what)
