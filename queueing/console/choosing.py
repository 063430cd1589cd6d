"""Which dead letters an operator means: all that match, one after the other, however many they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from queueing.brokers.envelope import Parked
from queueing.brokers.redis_dead import dead_called, dead_page
from queueing.console.knowing import places
from queueing.dead import Buried, Cursor, Mark, Place, in_order_of_burial

PAGE = 500  # letters a look at one partition brings, fewer when they are large


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Empty means any. reason, text: what the reason contains, and what id, key, name, reason or traceback contains,
    whatever its case. Times are milliseconds since 1970 on Redis's clock: buried at `since_ms` or later, and before
    `before_ms`."""

    group: str = ""
    topic: str = ""
    partition: str = ""
    event: str = ""
    reason: str = ""
    text: str = ""
    key: str = ""
    ids: tuple[str, ...] = ()
    since_ms: int | None = None
    before_ms: int | None = None
    quarantined: bool | None = None
    newest_first: bool = True
    limit: int | None = None

    def __str__(self) -> str:
        words = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) not in ("", (), None)}
        order = "newest first" if words.pop("newest_first") else "oldest first"
        times = [
            f"buried {name} {_as_time(at)}" for name in ("since", "before") if (at := words.pop(f"{name}_ms", None))
        ]
        return ", ".join([*(f"{name} {value}" for name, value in words.items()), *times, order])

    @property
    def narrows(self) -> bool:
        """More than a group: that nothing matches then does not say that nothing is dead."""
        named = ("topic", "partition", "event", "reason", "text", "key", "since_ms", "before_ms", "quarantined")
        return any(getattr(self, name) not in ("", None) for name in named)

    def matches(self, buried: Buried) -> bool:
        letter = buried.letter
        return (
            self.event in ("", letter.name)
            and self.key in ("", letter.key)
            and self.reason.casefold() in letter.reason.casefold()
            and self.quarantined in (None, letter.quarantined)
            and (not self.text or self._is_said_in(letter))
        )

    def _is_said_in(self, letter: Parked) -> bool:
        text = self.text.casefold()
        places = (letter.id, letter.key, letter.name, letter.reason, letter.traceback)
        return any(text in place.casefold() for place in places)


def chosen(choice: Choice, client: Any, *, past: Cursor | None = None) -> Iterator[Buried]:
    """Those that match, one after the other; behind `past`.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = (buried for buried in candidates(choice, client, past=past) if choice.matches(buried))
    return islice(found, choice.limit)


def settled(choice: Choice, client: Any) -> Choice:
    """Only what is dead by now: a letter that is replayed and fails again at once must not be replayed for ever.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if choice.before_ms is not None or choice.ids:
        return choice
    seconds, microseconds = client.time()
    return msgspec.structs.replace(choice, before_ms=seconds * 1000 + microseconds // 1000 + 1)


def _as_time(ms: int) -> str:
    """As `manage.py queue replay --before` takes it."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return f"{ms} ms"


def candidates(choice: Choice, client: Any, *, past: Cursor | None = None) -> Iterator[Buried]:
    """Those that must be looked at: a filter may match few of very many, and who asks may not want to wait for all."""
    where = [
        (topic, partition, group)
        for topic, partition, group in places()
        if choice.group in ("", group) and choice.topic in ("", topic) and choice.partition in ("", partition)
    ]
    if choice.ids:
        for message_id in choice.ids:
            yield from dead_called(client, where, message_id)
        return
    yield from in_order_of_burial(
        partial(_page, client, newest_first=choice.newest_first),
        where,
        newest_first=choice.newest_first,
        since_ms=choice.since_ms,
        before_ms=choice.before_ms,
        past=past,
    )


def _page(client: Any, place: Place, past: Mark | None, *, newest_first: bool) -> list[Buried]:
    return dead_page(client, place, past=past, newest_first=newest_first, limit=PAGE)
