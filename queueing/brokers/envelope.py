"""How a message looks in Redis: stream fields in the log, one JSON text in a group's retry set and dead letters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from queueing.broker import Failure
from queueing.message import Delivery, Failed, Message, with_failure

_NOT_READABLE = "unreadable entry"
_PLAIN = [b"id", b"n", b"v", b"k", b"at", b"b"]  # as append.lua writes a message without headers
_HEADERS = msgspec.json.Decoder(dict[str, str])


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message outside the log, with its history. Times are milliseconds on the consumer's clock.

    last_failed_at_ms: 0 when it did not fail since it was replayed, or only waits behind another of its key. earlier:
    its last failures but the one that `reason` tells, the oldest first.
    """

    id: str
    topic: str
    key: str
    name: str
    version: int
    body: str
    produced_at_ms: int
    headers: dict[str, str] = {}
    deliver_at_ms: int = 0
    partition: str
    offset: str
    attempts: int
    first_failed_at_ms: int
    last_failed_at_ms: int
    reason: str
    traceback: str = ""
    replays: int = 0
    quarantined: bool = False  # replayed as often as it may be, and failed again
    earlier: tuple[Failed, ...] = ()

    @classmethod
    def of(cls, delivery: Delivery, failure: Failure, *, at_ms: int, quarantined: bool = False) -> Parked:
        message = delivery.message
        return cls(
            id=message.id,
            topic=message.topic,
            key=message.key,
            name=message.name,
            version=message.version,
            body=message.body.decode(errors="replace"),
            produced_at_ms=message.produced_at_ms,
            headers=dict(message.headers),
            deliver_at_ms=message.deliver_at_ms,
            partition=delivery.partition,
            offset=delivery.offset,
            attempts=delivery.attempt,
            first_failed_at_ms=delivery.first_failed_at_ms or at_ms,
            last_failed_at_ms=at_ms,
            reason=failure.reason[:2000],
            traceback=failure.traceback[-8000:],
            replays=delivery.replays,
            quarantined=quarantined,
            earlier=delivery.earlier,
        )

    @property
    def failures(self) -> tuple[Failed, ...]:
        """Its last failures, this one included."""
        if not self.last_failed_at_ms:
            return self.earlier
        last = Failed(at_ms=self.last_failed_at_ms, attempt=self.attempts, replays=self.replays, reason=self.reason)
        return with_failure(self.earlier, last)

    def again(self) -> Parked:
        """As it goes back to its group: one replay more, and attempts from one."""
        return msgspec.structs.replace(
            self, replays=self.replays + 1, attempts=0, quarantined=False, earlier=self.failures, last_failed_at_ms=0
        )

    def delivery(self, attempt: int) -> Delivery:
        message = Message(
            id=self.id,
            topic=self.topic,
            key=self.key,
            name=self.name,
            version=self.version,
            body=self.body.encode(),
            produced_at_ms=self.produced_at_ms,
            headers=self.headers,
            deliver_at_ms=self.deliver_at_ms,
        )
        return Delivery(
            message=message,
            partition=self.partition,
            offset=self.offset,
            attempt=attempt,
            source="retry",
            first_failed_at_ms=self.first_failed_at_ms,
            alone=True,
            replays=self.replays,
            earlier=self.failures,
        )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def to_json(parked: Parked) -> bytes:
    return msgspec.json.encode(parked)


def from_json(text: bytes) -> Parked:
    return msgspec.json.decode(text, type=Parked)


def to_arguments(message: Message) -> list[Any]:
    """The seven arguments produce.lua takes for one message."""
    headers = msgspec.json.encode(dict(message.headers)) if message.headers else b""
    return [
        message.id,
        message.name,
        message.version,
        message.key,
        message.produced_at_ms,
        message.body,
        headers,
    ]


def to_draft(message: Message) -> list[Any]:
    """The four arguments schedule.lua takes for one message. Its body stays the bytes it is."""
    id_, name, version, key, at_ms, body, headers = to_arguments(message)
    envelope = msgspec.json.encode([name, str(version), key, str(at_ms), headers.decode()])
    return [id_, message.deliver_at_ms, envelope, body]


def from_entry(topic: str, offset: bytes, flat: Sequence[bytes]) -> Message:
    """A message from its stream entry, names and values in turn."""
    if flat[::2] == _PLAIN:  # nearly all are; no mapping is made for them
        _, id_, _, name, _, version, _, key, _, at, _, body = flat
        try:
            return Message(id_.decode(), topic, key.decode(), name.decode(), int(version), body, int(at))
        except ValueError:
            pass  # said below
    return from_fields(topic, offset, dict(zip(flat[::2], flat[1::2], strict=True)))


def from_fields(topic: str, offset: bytes, fields: Mapping[bytes, bytes]) -> Message:
    """A message from its stream entry.

    An entry that some other program wrote, without our fields, still becomes a message, so that it can be buried with
    a reason instead of stopping its partition. Its id is then its offset.
    """
    try:
        headers = _HEADERS.decode(fields[b"h"]) if b"h" in fields else {}
        return Message(
            fields[b"id"].decode(),
            topic,
            fields[b"k"].decode(),
            fields[b"n"].decode(),
            int(fields[b"v"]),
            fields[b"b"],
            int(fields[b"at"]),
            headers,
            int(fields.get(b"d", 0)),
        )
    except (KeyError, ValueError, msgspec.MsgspecError):
        return Message(
            id=offset.decode(),
            topic=topic,
            key="",
            name=_NOT_READABLE,
            version=0,
            body=repr(dict(fields)).encode(),
            produced_at_ms=0,
        )
