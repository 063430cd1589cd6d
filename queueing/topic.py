"""Topics and the arithmetic of their partitions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A named log of messages, cut into partitions.

    partitions: how many a *static* topic has; a key belongs to partition crc32(key) mod partitions.
    dynamic: the key *is* the partition (one per sale for orders.placed), and partitions appear as they are used.
    gate_group: the consumer group whose lag is measured against `capacity`; the others may be down.
    capacity: messages the gate group may be behind per partition before producers are refused; 0 is no limit.
    retention_s, retention_messages: how long an entry stays, and how many of the newest do; None is for ever, and all.
        What some group has not settled stays, whatever these say.
    """

    name: str
    partitions: int = 1
    dynamic: bool = False
    gate_group: str = ""
    capacity: int = 0
    retention_s: float | None = None
    retention_messages: int | None = None

    def partition_of(self, key: str) -> str:
        if self.dynamic:
            return key
        return str(zlib.crc32(key.encode()) % self.partitions)

    @property
    def keeps_everything(self) -> bool:
        return self.retention_s is None and self.retention_messages is None

    def static_partitions(self) -> list[str]:
        return [] if self.dynamic else [str(number) for number in range(self.partitions)]
