"""Dead letters: looked at, given back to their group, or forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from queueing import keys
from queueing.brokers.envelope import to_json
from queueing.brokers.redis_dead import MOST_BYTES, UNREADABLE, dead_called, dead_page
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.dead import Buried, Mark, Place

AT_ONCE = 100  # letters a script moves; nobody else is served meanwhile


class DeadLetters(RedisBase):
    @speaks_broker
    def dead_letters(
        self,
        group: str,
        topic: str,
        partition: str,
        *,
        past: Mark | None = None,
        newest_first: bool = True,
        limit: int = 100,
    ) -> list[Buried]:
        return dead_page(self.redis, (topic, partition, group), past=past, newest_first=newest_first, limit=limit)

    @speaks_broker
    def dead_letter(self, group: str, topic: str, partition: str, message_id: str) -> Buried | None:
        return next(iter(dead_called(self.redis, [(topic, partition, group)], message_id)), None)

    @speaks_broker
    def replay(self, letters: Sequence[Buried]) -> int:
        readable = [buried for buried in letters if buried.letter.name != UNREADABLE]
        names = (keys.dead, keys.graves, keys.retry, keys.waiting, keys.quarantined, keys.counters)
        return self._move("replay", readable, names, lambda buried: to_json(buried.letter.again()))

    @speaks_broker
    def purge(self, letters: Sequence[Buried]) -> int:
        names = (keys.dead, keys.graves, keys.quarantined, keys.counters, keys.purged, keys.heads, keys.parked,
                 keys.waiting, keys.retry)  # fmt: skip
        return self._move("purge", letters, names, lambda buried: buried.letter.key)

    def _move(
        self,
        script: str,
        letters: Sequence[Buried],
        names: Sequence[Callable[[str, str, str], str]],
        argument: Callable[[Buried], str | bytes],
    ) -> int:
        moved = 0
        for place, batch in _batches(letters):
            arguments: list[Any] = []
            for buried in batch:
                arguments += [buried.letter.id, buried.seal, argument(buried)]
            moved += int(self._scripts[script](keys=[name(*place) for name in names], args=arguments))
        return moved


def _batches(letters: Sequence[Buried]) -> Iterator[tuple[Place, list[Buried]]]:
    """Few and small enough for one script, and all of one place."""
    by_place: dict[Place, list[Buried]] = {}
    for buried in letters:
        by_place.setdefault(buried.place, []).append(buried)
    for place, waiting in by_place.items():
        batch: list[Buried] = []
        size = 0
        for buried in waiting:
            if batch and (len(batch) == AT_ONCE or size + len(buried.letter.body) > MOST_BYTES):
                yield place, batch
                batch, size = [], 0
            batch.append(buried)
            size += len(buried.letter.body)
        yield place, batch
