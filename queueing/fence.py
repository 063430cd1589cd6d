"""The database's side of ordered mode: it knows the highest token of each partition, and lets no lower one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import OperationalError, connection

from queueing.db import away_is_not_failure, one_transaction
from queueing.errors import LeaseLost, StoreUnavailable
from queueing.leases import Lease, Where, place_of
from queueing.message import Delivery

ADMIT_WAIT_MS = 250  # an earlier holder may be in its transaction; its session ends before its lease does

_ADMIT = """
    INSERT INTO queueing_fence AS known ("group", topic, partition, epoch, n) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT ("group", topic, partition) DO UPDATE SET epoch = excluded.epoch, n = excluded.n
    WHERE (known.epoch, known.n) < (excluded.epoch, excluded.n)
    RETURNING 1
"""
# Locked in one order, so that two consumers wait for each other in one direction and never in a circle.
_LOCK = """
    SELECT topic, partition, epoch, n FROM queueing_fence
    WHERE "group" = %s AND (topic, partition) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
    ORDER BY topic, partition FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class DatabaseFence:
    """One group's fences. Tokens of a partition only rise: `admit` raises them, `hold` compares them in the handlers'
    transaction and keeps the row locked until its end, so nobody is admitted while an earlier holder may still commit.
    """

    group: str

    def epoch(self) -> int:
        return current_epoch()

    def raise_epoch(self, above: int) -> None:
        raise_epoch(above)

    def admit(self, lease: Lease) -> bool:
        """Shut out every earlier holder of this partition. False: a later one was admitted before.

        Raises:
            StoreUnavailable: an earlier holder is in its transaction; ask again.
        """
        try:
            with one_transaction(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {ADMIT_WAIT_MS}")
                cursor.execute(_ADMIT, [self.group, lease.topic, lease.partition, *lease.token])
                return cursor.fetchone() is not None
        except OperationalError as error:
            raise StoreUnavailable(f"{lease.topic}/{lease.partition} is not free yet: {error}") from error

    def hold(self, batch: Sequence[Delivery]) -> None:
        """First thing in the handlers' transaction.

        Raises:
            LeaseLost: a later holder of one of these partitions was admitted.
        """
        tokens: dict[Where, tuple[int, int] | None] = {}
        for delivery in batch:
            tokens[place_of(delivery)] = delivery.token
        topics, partitions = zip(*tokens, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [self.group, list(topics), list(partitions)])
            known = {(topic, partition): (epoch, n) for topic, partition, epoch, n in cursor.fetchall()}
        for where, token in tokens.items():
            if known.get(where) != token:
                raise LeaseLost(*where)


def current_epoch() -> int:
    with away_is_not_failure(), connection.cursor() as cursor:
        cursor.execute("SELECT epoch FROM queueing_epoch")
        row = cursor.fetchone()
    return int(row[0]) if row else 1


def raise_epoch(above: int) -> None:
    """Make sure that the epoch is higher than this one; every lease of an older one is void."""
    with away_is_not_failure(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO queueing_epoch AS known (id, epoch) VALUES (1, %s) ON CONFLICT (id) DO UPDATE"
            " SET epoch = greatest(known.epoch, excluded.epoch)",
            [above + 1],
        )
