"""A dead letter as an operator sees it, and the name a form calls it by."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from queueing.brokers.envelope import Parked
from queueing.console.plain import visible
from queueing.dead import Buried, Cursor, Mark

SHOWN = 100_000  # characters of a payload; a page of five megabytes helps nobody
LATEST_MS = 10**15


class Address(NamedTuple):
    """Where a dead letter lies. An id alone does not say: each group buries its own copy."""

    group: str
    topic: str
    partition: str
    id: str

    @property
    def token(self) -> str:
        return json.dumps(list(self))

    def __str__(self) -> str:
        return visible(f"{self.group}: {self.id} of {self.topic}")

    @classmethod
    def parse(cls, token: str) -> Address:
        """
        Raises:
            ValueError: this is no token.
        """
        try:
            return cls(*msgspec.json.decode(token.encode(errors="replace"), type=tuple[str, str, str, str]))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise ValueError(f"not the name of a dead letter: {token[:100]!r}") from error


class CursorToken(NamedTuple):
    """A cursor as an address of a page carries it."""

    buried_at_ms: int
    id: str
    topic: str
    partition: str
    group: str

    @classmethod
    def of(cls, cursor: Cursor) -> CursorToken:
        return cls(*cursor.mark, *cursor.place)

    @property
    def text(self) -> str:
        return json.dumps(list(self))

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """
        Raises:
            ValueError: this is no cursor.
        """
        try:
            at_ms, id_, *place = msgspec.json.decode(text.encode(errors="replace"), type=tuple[int, str, str, str, str])
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise ValueError(f"not a place among dead letters: {text[:100]!r}") from error
        if not 0 <= at_ms <= LATEST_MS:
            raise ValueError(f"no time of a burial: {at_ms}")
        return Cursor(Mark(at_ms, id_), (place[0], place[1], place[2]))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Texts are safe to print on a terminal; a template still escapes them.

    hidden_characters: how much of the payload is not shown.
    """

    group: str
    parked: Parked
    buried_at_ms: int
    hidden_characters: int = 0

    @classmethod
    def of(cls, buried: Buried) -> DeadLetter:
        """Without the rest of a large payload: of a hundred letters, each may have five megabytes."""
        parked, hidden = buried.letter, max(0, len(buried.letter.body) - SHOWN)
        if hidden:
            parked = msgspec.structs.replace(parked, body=parked.body[:SHOWN])
        return cls(buried.group, parked, buried.buried_at_ms, hidden)

    @property
    def address(self) -> Address:
        return Address(self.group, self.parked.topic, self.parked.partition, self.parked.id)

    @property
    def id(self) -> str:
        return visible(self.parked.id)

    @property
    def event(self) -> str:
        return visible(self.parked.name)

    @property
    def key(self) -> str:
        return visible(self.parked.key)

    @property
    def reason(self) -> str:
        return visible(self.parked.reason)

    @property
    def traceback(self) -> str:
        return visible(self.parked.traceback)

    @property
    def payload(self) -> str:
        """Indented when it is JSON."""
        text = self.parked.body
        if self.hidden_characters:
            return visible(text)
        with suppress(ValueError, RecursionError):  # then it is shown as it came
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return visible(text)

    @property
    def history(self) -> list[tuple[datetime, str, str]]:
        """The last failures but the one that buried it, the latest first: when, which attempt, why."""
        told = []
        for failed in reversed(self.parked.earlier):
            replays = f" after {failed.replays} replay{'' if failed.replays == 1 else 's'}" if failed.replays else ""
            told.append((_utc(failed.at_ms), f"attempt {failed.attempt}{replays}", visible(failed.reason)))
        return told

    @property
    def compact(self) -> str:
        """On one line, as it came."""
        return visible(self.parked.body)

    @property
    def origin(self) -> str:
        """Where it was read first."""
        return visible(f"{self.parked.topic}, partition {self.parked.partition}, offset {self.parked.offset}")

    @property
    def buried_at(self) -> datetime:
        return _utc(self.buried_at_ms)

    @property
    def produced_at(self) -> datetime:
        return _utc(self.parked.produced_at_ms)

    @property
    def first_failed_at(self) -> datetime:
        return _utc(self.parked.first_failed_at_ms)

    @property
    def last_failed_at(self) -> datetime:
        return _utc(self.parked.last_failed_at_ms)


def _utc(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # an entry of another program may say anything
        return datetime.fromtimestamp(0, UTC)
