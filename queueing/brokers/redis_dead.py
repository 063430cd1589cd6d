"""Dead letters as they lie in Redis, read without moving them: a page of one partition, or one message in many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from queueing import keys
from queueing.brokers.envelope import Parked, from_json
from queueing.brokers.lua import load
from queueing.dead import Buried, Mark, Place

MOST_BYTES = 1_000_000  # of envelopes in one reply, unless the first alone is larger
UNREADABLE = "unreadable envelope"
_PAGE = load("dead_page")


def dead_page(client: Any, place: Place, *, past: Mark | None, newest_first: bool, limit: int) -> list[Buried]:
    """See queueing.broker.Broker.dead_letters."""
    found = client.register_script(_PAGE)(
        keys=[keys.dead(*place), keys.graves(*place)],
        args=["down" if newest_first else "up", *(past or ("", "")), limit, MOST_BYTES],
    )
    return [_buried(place, id_, float(buried_at), text) for id_, buried_at, text in found]


def dead_called(client: Any, where: Sequence[Place], message_id: str) -> list[Buried]:
    """This message, wherever it is dead: each group buries its own copy."""
    with client.pipeline(transaction=True) as pipe:
        for place in where:
            pipe.zscore(keys.dead(*place), message_id)
            pipe.hget(keys.graves(*place), message_id)
        replies = pipe.execute()
    return [
        _buried(place, message_id.encode(), buried_at, text or b"")
        for place, buried_at, text in zip(where, replies[::2], replies[1::2], strict=True)
        if buried_at is not None
    ]


def _buried(place: Place, id_: bytes, buried_at_ms: float, text: bytes) -> Buried:
    seal = hashlib.sha1(text, usedforsecurity=False).hexdigest()  # the hash that Redis's scripts have at hand
    try:
        letter = from_json(text)
    except ValueError:
        letter = _unreadable(place, id_, text)
    return Buried(place[2], letter, int(buried_at_ms), seal)


def _unreadable(place: Place, id_: bytes, text: bytes) -> Parked:
    """One that no program of ours wrote must be seen and purged like any other."""
    return Parked(
        id=id_.decode(errors="replace"),
        topic=place[0],
        partition=place[1],
        key="",
        name=UNREADABLE,
        version=0,
        body=text.decode(errors="replace"),
        produced_at_ms=0,
        offset="",
        attempts=0,
        first_failed_at_ms=0,
        last_failed_at_ms=0,
        reason="what was kept of this message cannot be read; it cannot be replayed",
    )
