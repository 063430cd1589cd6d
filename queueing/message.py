"""The envelope that travels: what a producer appends and what a consumer is handed."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import uuid_utils

from queueing.event import Event, event_class


def new_id() -> str:
    """A UUIDv7: unique, and sorted by the time it was made."""
    return str(uuid_utils.uuid7())


class Message(msgspec.Struct, frozen=True, gc=False):  # made by the thousand, and never part of a cycle
    """One message of a topic. `id` is the identity that inboxes, retries and replays keep."""

    id: str
    topic: str
    key: str
    name: str  # the event's wire name
    version: int
    body: bytes  # JSON
    produced_at_ms: int
    headers: dict[str, str] = {}
    deliver_at_ms: int = 0  # not before this moment, in milliseconds since 1970; 0 is at once

    @classmethod
    def of(cls, event: Event, *, headers: Mapping[str, str] | None = None, deliver_at_ms: int = 0) -> Message:
        return cls(
            id=new_id(),
            topic=event.topic,
            key=event.key,
            name=event.wire,
            version=event.version,
            body=event.encode(),
            produced_at_ms=time.time_ns() // 1_000_000,
            headers=dict(headers or {}),
            deliver_at_ms=deliver_at_ms,
        )

    def event(self) -> Event:
        """The event inside.

        Raises:
            UnknownEvent, MalformedMessage: it can't be read by this program; retrying won't help.
        """
        return event_class(self.name, self.version).decode(self.body)


class Failed(msgspec.Struct, frozen=True, gc=False):
    """An attempt that came to nothing. replays: how often the message had been replayed before it."""

    at_ms: int
    attempt: int
    replays: int
    reason: str


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message in one consumer's hands.

    `attempt` is 1 the first time. `source` says where its state lives: the topic's log, or the group's own retry set.
    `alone` marks what was pending in a process that died: it comes back in a batch of one, so a message that kills its
    process is found and its neighbours are not buried with it. `token` is that of the lease it was read under, in
    ordered mode. `earlier` are its last failures before this attempt, the oldest first.
    """

    message: Message
    partition: str
    offset: str
    attempt: int = 1
    source: str = "log"  # log | retry
    first_failed_at_ms: int = 0
    alone: bool = False
    replays: int = 0
    token: tuple[int, int] | None = None
    earlier: tuple[Failed, ...] = ()


KEPT_FAILURES = 8
KEPT_OF_A_REASON = 200  # characters


def with_failure(earlier: tuple[Failed, ...], failed: Failed) -> tuple[Failed, ...]:
    """One failure more, the oldest forgotten. Of one attempt that was put off again and again, the last counts."""
    said = msgspec.structs.replace(failed, reason=failed.reason[:KEPT_OF_A_REASON])
    others = [one for one in earlier if (one.replays, one.attempt) != (said.replays, said.attempt)]
    return (*others, said)[-KEPT_FAILURES:]
