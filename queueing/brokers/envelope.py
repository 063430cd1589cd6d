"""How a message looks in Redis: stream fields in the log, one JSON text in a group's retry set and dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from queueing.broker import Failure
from queueing.message import Delivery, Message

_NOT_READABLE = "unreadable entry"


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message outside the log, with its history. Times are milliseconds on the consumer's clock."""

    id: str
    topic: str
    key: str
    name: str
    version: int
    body: str
    produced_at_ms: int
    headers: dict[str, str] = {}
    partition: str
    offset: str
    attempts: int
    first_failed_at_ms: int
    last_failed_at_ms: int
    reason: str
    traceback: str = ""
    replays: int = 0

    @classmethod
    def of(cls, delivery: Delivery, failure: Failure, *, at_ms: int, replays: int = 0) -> Parked:
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
            partition=delivery.partition,
            offset=delivery.offset,
            attempts=delivery.attempt,
            first_failed_at_ms=delivery.first_failed_at_ms or at_ms,
            last_failed_at_ms=at_ms,
            reason=failure.reason[:2000],
            traceback=failure.traceback[-8000:],
            replays=replays,
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
        )


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


def from_fields(topic: str, offset: bytes, fields: Mapping[bytes, bytes]) -> Message:
    """A message from its stream entry.

    An entry that some other program wrote, without our fields, still becomes a message, so that it can be buried with
    a reason instead of stopping its partition. Its id is then its offset.
    """
    headers: dict[str, str] = {}
    if b"h" in fields:
        try:
            headers = msgspec.json.decode(fields[b"h"], type=dict[str, str])
        except (msgspec.ValidationError, msgspec.DecodeError):
            headers = {"error": "unreadable headers"}
    return Message(
        id=_text(fields.get(b"id")) or _text(offset),
        topic=topic,
        key=_text(fields.get(b"k")),
        name=_text(fields.get(b"n")) or _NOT_READABLE,
        version=_number(fields.get(b"v")),
        body=fields.get(b"b", b""),
        produced_at_ms=_number(fields.get(b"at")),
        headers=headers,
    )


def _text(value: bytes | None) -> str:
    return value.decode(errors="replace") if value else ""


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0
