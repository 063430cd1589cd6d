"""Who hears what, as data: each app's `handlers.py` ends with one Subscription."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from queueing.autoscaler.limits import Limits
from queueing.broker import Position
from queueing.event import Event
from queueing.names import check_group
from queueing.retry import RetryPolicy

# A handler is a plain function of a batch. It runs inside one PostgreSQL transaction together with the inbox rows of
# its messages; raising rolls all of it back. It never sees the same message twice.
Handler = Callable[[Sequence[Any]], None]

# Of a lease. PostgreSQL gives up first, with an error that names the statement; then the process is ended; a session
# that is left in its transaction goes after that (queueing/db.py), and all of it before the lease.
DEADLINE = 0.6
LATEST_DEADLINE = 0.65

DATABASE_RATE = 1_000.0  # messages a second: what the seeds' database can take; the order path ships with it on
WHOLE_GROUP = ""  # among caps: of all topics that have none of their own


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer group and its handlers.

    batch_size: most messages a handler gets at once.
    retry: what happens to a message whose handler raises.
    max_replays: a dead letter that was replayed so often and failed again is quarantined: it is not replayed any more
        unless somebody says so of quarantined ones.
    lease_s: how long a consumer may stand still before another takes its messages; a transaction ends before that.
    deadline_s: how long a handler's transaction may take; a process that is not done by then is ended. None is 0.6 of
        the lease.
    rate: messages a second that all consumers of the group together may begin to handle; None is no cap. Topic → rate
        gives topics caps of their own, so that one can't use up what another needs. What the group only acknowledges,
        as it does not subscribe to it, is free. `manage.py queue rate` changes it while consumers run.
    start: where a group that is new begins: "beginning" (of what is kept), "now", or an aware datetime. One that has
        begun stays where it is; `manage.py queue reset` moves it.
    rebuildable: its effects may be made again from the log, by `manage.py queue reset --reprocess`: an index, points,
        analytics. Never stock, money or messages to people.
    mode: "competing": any consumer takes any entry. "ordered": a partition has one consumer at a time, and messages
        of a key keep their order through retries.
    scaling: how many consumers the autoscaler may run, and the lag at which it grows and shrinks.
    parked_on_death: in ordered mode, whether the followers of a message that was buried wait until it is replayed, or
        go on without it.
    """

    group: str
    handlers: Mapping[type[Event], Handler]
    batch_size: int = 500
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    lease_s: float = 15.0
    deadline_s: float | None = None
    rate: float | Mapping[str, float] | None = None
    start: Literal["beginning", "now"] | datetime = "beginning"
    rebuildable: bool = False
    mode: Literal["competing", "ordered"] = "competing"
    parked_on_death: bool = True
    max_replays: int = 3
    scaling: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check_group(self.group)
        if not 0 < self.handler_deadline_s <= self.lease_s * LATEST_DEADLINE:
            raise ValueError(
                f"group {self.group!r}: a handler's deadline of {self.handler_deadline_s:g} s is not within"
                f" {LATEST_DEADLINE:.0%} of its lease of {self.lease_s:g} s"
            )
        if self.mode not in ("competing", "ordered"):
            raise ValueError(f"group {self.group!r}: mode is 'competing' or 'ordered', not {self.mode!r}")
        if isinstance(self.start, datetime) and self.start.tzinfo is None:
            raise ValueError(f"{self.group}: start={self.start} has no time zone; whose time is it?")
        for topic, rate in self.caps.items():
            if topic != WHOLE_GROUP and topic not in self.topics:
                raise ValueError(f"group {self.group!r}: a rate for {topic!r}, which it does not hear")
            if not 0 < rate < float("inf"):
                raise ValueError(f"group {self.group!r}: a rate of {rate} messages a second; None is no cap")

    @property
    def handler_deadline_s(self) -> float:
        return self.lease_s * DEADLINE if self.deadline_s is None else self.deadline_s

    @property
    def start_position(self) -> Position:
        return int(self.start.timestamp() * 1000) if isinstance(self.start, datetime) else self.start

    @property
    def caps(self) -> Mapping[str, float]:
        """Topic (or WHOLE_GROUP) → messages a second."""
        if self.rate is None:
            return {}
        return self.rate if isinstance(self.rate, Mapping) else {WHOLE_GROUP: self.rate}

    @property
    def topics(self) -> list[str]:
        return sorted({event.topic for event in self.handlers})
