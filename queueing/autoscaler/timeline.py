"""The timeline: what supervisors decided, on its way from Redis to PostgreSQL. The relay carries it, once a second."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from redis.exceptions import RedisError

from queueing import keys
from queueing.autoscaler.records import Event
from queueing.db import away_is_not_failure
from queueing.errors import BrokerUnavailable
from queueing.models import ScaleEvent

logger = logging.getLogger("queueing.autoscaler")

AT_ONCE = 500
KEPT = timedelta(days=30)
KEPT_MOST = 100_000  # rows, whatever their age
FORGET_EVERY_S = 3600.0

_next_forgetting = float("-inf")


def carry(client: Any) -> int:
    """Move what was decided to the table. Returns how many rows are new.

    A row is there before its event leaves Redis; carried twice, or by two at once, it is there once.

    Raises:
        BrokerUnavailable, StoreUnavailable: call it again.
    """
    try:
        told: list[bytes] = client.lrange(keys.SCALE_EVENTS, 0, AT_ONCE - 1)
        if not told:
            return 0
        with away_is_not_failure():
            before = [row for row in map(_row, told) if row is not None]
            ScaleEvent.objects.bulk_create(before, ignore_conflicts=True)
            _forget_old()
        with client.pipeline(transaction=False) as pipe:
            for event in told:
                pipe.lrem(keys.SCALE_EVENTS, 1, event)
            pipe.execute()
    except RedisError as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
    return len(before)


def _row(told: bytes) -> ScaleEvent | None:
    try:
        event = msgspec.json.decode(told, type=Event)
        fields = msgspec.structs.asdict(event)
        return ScaleEvent(at=datetime.fromtimestamp(fields.pop("at_ms") / 1000, UTC), **fields)
    except (msgspec.DecodeError, ValueError, OverflowError) as error:  # nobody's: it must not stay for ever
        logger.warning("an event of the autoscaler could not be read: %s", error)
        return None


def _forget_old() -> None:
    global _next_forgetting
    if time.monotonic() < _next_forgetting:
        return
    ScaleEvent.objects.filter(at__lt=datetime.now(UTC) - KEPT).delete()
    oldest = ScaleEvent.objects.order_by("-at").values_list("at", flat=True)[KEPT_MOST : KEPT_MOST + 1].first()
    if oldest is not None:
        ScaleEvent.objects.filter(at__lte=oldest).delete()
    _next_forgetting = time.monotonic() + FORGET_EVERY_S
