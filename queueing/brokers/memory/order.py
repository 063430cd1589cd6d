"""One ordered group's view of one partition: its lease, and the keys that wait behind a failing head."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from queueing.leases import Token
from queueing.message import Delivery

NEVER = Token(0, 0)


@dataclass(slots=True)
class Order:
    """One ordered group's view of one partition.

    heads: blocked key → message id of the message that failed, or of the last of those handed out after it.
    parked: key → its followers, in the order of the log.
    """

    owner: str = ""
    token: Token = NEVER
    heads: dict[str, str] = field(default_factory=dict)
    parked: dict[str, list[Delivery]] = field(default_factory=dict)

    def count(self) -> int:
        return sum(map(len, self.parked.values()))

    def park(self, delivery: Delivery) -> None:
        insort(self.parked.setdefault(delivery.message.key, []), delivery, key=lambda d: int(d.offset))

    def unpark(self, key: str) -> Delivery | None:
        followers = self.parked.get(key)
        if not followers:
            return None
        first = followers.pop(0)
        if not followers:
            del self.parked[key]
        return first
