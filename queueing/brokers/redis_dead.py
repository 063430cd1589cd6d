"""Dead letters, read without moving them: the newest of many places in two pipelines, or one message in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queueing import keys
from queueing.brokers.envelope import Parked, from_json


def newest_dead(client: Any, where: Sequence[tuple[str, str, str]], *, limit: int) -> list[tuple[str, Parked]]:
    """(group, letter) of the `limit` last buried. where: (topic, partition, group) each."""
    with client.pipeline(transaction=False) as pipe:
        for place in where:
            pipe.zrange(keys.dead(*place), 0, limit - 1, desc=True, withscores=True)
        found = [
            (buried_at, id_, place)
            for place, pairs in zip(where, pipe.execute(), strict=True)
            for id_, buried_at in pairs
        ]
        found = sorted(found, key=lambda row: row[0], reverse=True)[:limit]
        for _, id_, place in found:
            pipe.hget(keys.graves(*place), id_)
        texts = pipe.execute()
    # A text is missing when somebody replayed the letter between the two pipelines.
    return [(place[2], from_json(text)) for (_, _, place), text in zip(found, texts, strict=True) if text is not None]


def dead_called(client: Any, where: Sequence[tuple[str, str, str]], message_id: str) -> list[tuple[str, Parked]]:
    """(group, letter) of this message, wherever it is dead: each group buries its own copy."""
    with client.pipeline(transaction=False) as pipe:
        for place in where:
            pipe.hget(keys.graves(*place), message_id)
        texts = pipe.execute()
    return [(place[2], from_json(text)) for place, text in zip(where, texts, strict=True) if text is not None]
