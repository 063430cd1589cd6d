"""Ordered mode: who holds which partition, and reading what is leased."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from queueing import keys
from queueing.brokers.envelope import from_entry, from_json
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.errors import LeaseLost
from queueing.leases import InOrder, Key, Lease, LeaseSeen, Token
from queueing.message import Delivery


def ordered_keys(topic: str, partition: str, group: str) -> list[str]:
    """What every script of the ordered mode gets; lua/lease.lua names them."""
    where = (topic, partition, group)
    of_group = (keys.counters, keys.holders, keys.waiting, keys.retry, keys.dead, keys.graves, keys.lease, keys.heads,
                keys.parked, keys.series, keys.quarantined)  # fmt: skip
    return [keys.log(topic, partition), *(key(*where) for key in of_group)]


class Leasing(RedisBase):
    _ends: dict[tuple[str, str], bytes]  # of each log, as of our last read that found nothing

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ends = {}

    @speaks_broker
    def leases(self, group: str, topics: Sequence[str]) -> list[LeaseSeen]:
        where = self._join(group, topics)
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition in where:
                pipe.hmget(keys.lease(topic, partition, group), "owner", "epoch", "n")
            found = pipe.execute()
        return [
            LeaseSeen(*at, (owner or b"").decode(), Token(int(epoch or 0), int(n or 0)))
            for at, (owner, epoch, n) in zip(where, found, strict=True)
        ]

    @speaks_broker
    def take_lease(self, group: str, consumer: str, seen: LeaseSeen, epoch: int) -> Lease | None:
        n = self._scripts["lease_take"](
            keys=ordered_keys(seen.topic, seen.partition, group), args=[consumer, epoch, seen.owner]
        )
        return Lease(seen.topic, seen.partition, Token(epoch, n)) if n else None

    @speaks_broker
    def give_lease(self, group: str, consumer: str, lease: Lease) -> bool:
        return bool(
            self._scripts["lease_give"](
                keys=ordered_keys(lease.topic, lease.partition, group), args=[consumer, *lease.token]
            )
        )

    @speaks_broker
    def read_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int, wait_s: float) -> InOrder:
        look = partial(self._read_leased, group, consumer, leases, limit)
        if len(leases) > 1 and self._is_cluster():
            return self._patience.wait(look, lambda found: bool(found.deliveries or found.lost), wait_s)
        found = look()
        if found.deliveries or found.lost or wait_s <= 0:
            return found
        # Wake when one of the logs has something after what was its end a moment ago; then read under the lease.
        ends = {keys.log(topic, partition): self._ends[topic, partition] for topic, partition, _ in leases}
        if not ends:
            time.sleep(wait_s)
            return found
        if not self.redis.xread(ends, count=1, block=max(1, int(wait_s * 1000))):
            return found
        return look()

    def _read_leased(self, group: str, consumer: str, leases: Sequence[Lease], limit: int) -> InOrder:
        replies = self._run_many(
            "lease_read",
            [(ordered_keys(t, p, group), [consumer, *token, group, limit]) for t, p, token in leases],
        )
        deliveries: list[Delivery] = []
        blocked: set[Key] = set()
        lost = []
        for (topic, partition, token), reply in zip(leases, replies, strict=True):
            if reply is None:
                lost.append((topic, partition))
                continue
            entries, keys_blocked, end = reply
            if end:
                self._ends[topic, partition] = end
            blocked.update((topic, partition, key.decode()) for key in keys_blocked)
            deliveries += [
                Delivery(from_entry(topic, offset, flat), partition, offset.decode(), token=token)
                for offset, flat in entries
            ]
        return InOrder(deliveries, frozenset(blocked), tuple(lost))

    @speaks_broker
    def read_left_behind(self, group: str, consumer: str, lease: Lease, limit: int) -> InOrder:
        topic, partition, token = lease
        reply = self._scripts["lease_pending"](
            keys=ordered_keys(topic, partition, group), args=[consumer, *token, group, limit]
        )
        if reply is None:
            raise LeaseLost(topic, partition)
        entries, blocked = reply
        deliveries = [
            Delivery(
                from_entry(topic, offset, flat), partition, offset.decode(), attempt=begun + 1, alone=True, token=token
            )
            for offset, flat, begun in entries
        ]
        return InOrder(deliveries, frozenset((topic, partition, key.decode()) for key in blocked))

    @speaks_broker
    def read_due_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int) -> list[Delivery]:
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition, _ in leases:
                pipe.zcard(keys.retry(topic, partition, group))
            sizes = pipe.execute()
        for (topic, partition, token), size in zip(leases, sizes, strict=True):
            if not size:
                continue
            replies = self._scripts["lease_due"](
                keys=ordered_keys(topic, partition, group), args=[consumer, *token, limit]
            )
            if replies is None:
                raise LeaseLost(topic, partition)
            if replies:
                return [
                    replace(from_json(text).delivery(attempt), alone=attempt > 1, token=token)
                    for text, attempt in replies
                ]
        return []
