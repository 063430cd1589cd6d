"""Who hears what, as data: each app's `handlers.py` ends with one Subscription."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from queueing.event import Event
from queueing.retry import RetryPolicy

# A handler is a plain function of a batch. It runs inside one PostgreSQL transaction together with the inbox rows of
# its messages; raising rolls all of it back. It never sees the same message twice.
Handler = Callable[[Sequence[Any]], None]

DATABASE_RATE = 1_000.0  # messages a second: what the seeds' database can take; the order path ships with it on


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer group and its handlers.

    batch_size: most messages a handler gets at once.
    retry: what happens to a message whose handler raises.
    lease_s: how long a consumer may stand still before another takes its messages; a transaction ends before that.
    rate: messages a second that all consumers of the group together may begin to handle; None is no cap. What the
        group only acknowledges, as it does not subscribe to it, is free.
    """

    group: str
    handlers: Mapping[type[Event], Handler]
    batch_size: int = 500
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    lease_s: float = 15.0
    rate: float | None = None

    @property
    def topics(self) -> list[str]:
        return sorted({event.topic for event in self.handlers})
