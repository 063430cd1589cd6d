"""One turn of the recovery: whatever can be done now. Whoever leads holds an advisory lock; the others do nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from config.recovery import gates
from config.recovery.look import Found, connect, losses, read_found, read_known
from config.recovery.retell import retell_everything
from inventory import keys, rebuilds
from queueing import keys as queue_keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.crashpoint import crashpoint

logger = logging.getLogger(__name__)

LOCK = 0x51C8  # advisory lock: who recovers


@dataclass(frozen=True, slots=True)
class Turn:
    """led: somebody else leads otherwise. lost: sale → why, newly declared. waiting: sale → why it is still closed."""

    led: bool = True
    lost: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    retold: int | None = None

    @property
    def is_well(self) -> bool:
        return self.led and not self.waiting


def turn(*, thorough: bool = False) -> Turn:
    """Look, and repair what can be repaired now. Call it about once a second.

    thorough: compare everything even if this Redis was compared since it started.

    Raises:
        NotPrimary: REDIS_URL points at a replica.
        redis.RedisError, StoreUnavailable: a server is away; call it again.
    """
    with _leading() as leading, closing(connect(settings.REDIS_URL)) as client:
        if not leading:
            return Turn(led=False)
        return _turn(client, thorough=thorough)


def _turn(client: Any, *, thorough: bool) -> Turn:
    known = read_known(thorough=False)
    found = read_found(client, [])
    if thorough or not found.is_approved or known.was_lost:
        known = read_known(thorough=True)
    found = read_found(client, list(known.sales))
    lost = losses(known, found)
    if lost or (known.run_id and not found.approved):
        _declare(lost)
    elif found.is_approved and not known.was_lost:
        return Turn()
    waiting = _rebuild(client)
    if waiting:
        return Turn(lost=lost, waiting=waiting)
    # Redis first: whoever dies in between finds in PostgreSQL that something is still to be told.
    _approve(client, found, tide=known.tide)
    crashpoint("rebuild.approved")
    retold = None
    with transaction.atomic():
        store = rebuilds.store()
        if store is not None and store.lost_at is not None:
            retold = retell_everything()
            logger.warning("told again what %s orders wait for", retold)
        rebuilds.approve(run_id=found.run_id)
    return Turn(lost=lost, retold=retold)


def _declare(lost: dict[int, str]) -> None:
    for sale_id in rebuilds.declare_lost(reasons=lost):
        logger.error("sale %s lost data in Redis: %s; closed until it is rebuilt", sale_id, lost[sale_id])


def _rebuild(client: Any) -> dict[int, str]:
    """Every gate is closed before the first is opened. Returns, per sale, why it is not open yet."""
    rebuilding = rebuilds.unfinished()
    if not rebuilding:
        return {}
    for rebuild in rebuilding:
        gates.close(client, rebuild)
    broker: RedisStreamsBroker = make_broker()
    try:
        left = gates.undrained(broker)
        outcomes = {
            rebuild.sale_id: gates.reopen(client, rebuild, undrained=left.get(rebuild.sale_id, 0))
            for rebuild in rebuilding
        }
    finally:
        broker.redis.close()
    return {sale_id: why for sale_id, why in outcomes.items() if why}


def _approve(client: Any, found: Found, *, tide: int) -> None:
    # The mark first: from the approval on, a lower one would be a loss.
    if found.tide < tide:
        client.incrby(queue_keys.TIDE, tide - found.tide)
    client.set(keys.APPROVED, found.run_id)
    logger.info("Redis %s may admit", found.run_id[:8])


@contextmanager
def _leading() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 0)", [LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [LOCK])
