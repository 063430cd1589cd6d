"""This Redis beside what PostgreSQL knows: is it the one that admitted, with all it was told?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from inventory import gate_rebuild, keys, rebuilds
from inventory.gate_rebuild import Seen
from inventory.models import SaleStock
from queueing import keys as queue_keys
from queueing.tide import known_tide

TIMEOUT_S = 5.0


class NotPrimary(Exception):
    """REDIS_URL points at a read-only replica: nothing can be admitted or repaired there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What PostgreSQL knows, read before Redis is: Redis may be ahead of it and never behind.

    highest: sale → the highest sequence of its present epoch with a row.
    """

    run_id: str
    was_lost: bool
    tide: int
    sales: Mapping[int, SaleStock]
    applied: Mapping[int, int]
    highest: Mapping[int, int]
    rebuilding: frozenset[int]


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis says."""

    run_id: str
    approved: str
    tide: int
    gates: Mapping[int, Seen] = field(default_factory=dict)

    @property
    def is_approved(self) -> bool:
        return self.run_id == self.approved


def connect(url: str) -> Any:
    """A connection that asks no approval. Any: redis-py gives each command both its sync and its async result."""
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


def read_known(*, thorough: bool) -> Known:
    """thorough: also what takes a scan of all orders."""
    store = rebuilds.store()
    return Known(
        run_id=store.run_id if store else "",
        was_lost=store is not None and store.lost_at is not None,
        tide=known_tide(),
        sales=rebuilds.opened_sales(),
        applied=rebuilds.applied_counts() if thorough else {},
        highest=_highest() if thorough else {},
        rebuilding=frozenset(rebuild.sale_id for rebuild in rebuilds.unfinished()),
    )


def read_found(client: Any, sale_ids: list[int]) -> Found:
    """
    Raises:
        NotPrimary: see there.
        redis.RedisError: Redis is away.
    """
    info = client.info("server", "replication")
    if info["role"] != "master":
        raise NotPrimary(f"REDIS_URL points at a read-only replica of {info.get('master_host')}")
    with client.pipeline(transaction=False) as pipe:
        pipe.get(keys.APPROVED)
        pipe.get(queue_keys.TIDE)
        approved, tide = pipe.execute()
    return Found(
        run_id=info["run_id"],
        approved=(approved or b"").decode(),
        tide=int(tide or 0),
        gates=gate_rebuild.look(client, sale_ids),
    )


def losses(known: Known, found: Found) -> dict[int, str]:
    """Sale → what shows that Redis lost data. If any sale's gate did, or the queue, none is believed."""
    seen = {sale: reason for sale, row in known.sales.items() if (reason := _of_gate(row, known, found))}
    if known.run_id and not found.approved:
        why = "Redis came back empty"
    elif found.tide < known.tide:
        why = f"the relay told {known.tide} batches, Redis has {found.tide}"
    elif seen:
        why = next(f"sale {sale}: {reason}" for sale, reason in seen.items())
    else:
        return {}
    return {sale: seen.get(sale, why) for sale in known.sales if sale not in known.rebuilding}


def _of_gate(row: SaleStock, known: Known, found: Found) -> str:
    sale = row.sale_id
    if sale in known.rebuilding:
        return ""
    gate = found.gates.get(sale)
    if gate is None:
        return "its gate is gone"
    if not gate.is_open:
        return "its gate was closed by a process that had told its buyers more than Redis has"
    if gate.epoch < row.epoch:
        return f"its gate is of epoch {gate.epoch}, PostgreSQL is in {row.epoch}"
    if gate.seq < known.highest.get(sale, 0):
        return f"its gate counted {gate.seq} admissions, PostgreSQL has number {known.highest[sale]}"
    if gate.applied < known.applied.get(sale, 0):
        return f"its gate took in {gate.applied} movements, PostgreSQL knows of {known.applied[sale]}"
    return ""


def _highest() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.sale_id, max(o.seq) FROM orders_order o JOIN inventory_salestock s USING (sale_id, epoch)"
            " GROUP BY o.sale_id"
        )
        return dict(cursor.fetchall())
