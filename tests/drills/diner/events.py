from __future__ import annotations

from queueing.event import Event
from queueing.topic import Topic

TOPICS = {"dishes": Topic("dishes", partitions=4)}
GROUP = "waiters"


class Ordered(Event):
    """deed: what the waiter does when he reads it; see handlers.py."""

    wire = "diner.Ordered"
    topic = "dishes"
    key_field = "table"

    table: str
    number: int
    deed: str = ""
