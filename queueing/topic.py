"""Topics, as they are declared."""

from __future__ import annotations

from dataclasses import dataclass

from queueing.names import check_topic


@dataclass(frozen=True, slots=True)
class Topic:
    """A named log of messages, cut into partitions.

    partitions: how many a *static* topic begins with (queueing.layout says which of them a key belongs to). What it has
        grown to is known to the broker, which also remembers this number: a later change of it here changes nothing.
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

    def __post_init__(self) -> None:
        check_topic(self.name)

    @property
    def keeps_everything(self) -> bool:
        return self.retention_s is None and self.retention_messages is None
