"""Delayed messages of a partition that was split: those whose keys moved go where they will be appended.

They go in the order in which they are due, so that what is due soon need not wait for all the rest. Whoever promotes
does it, a page at a time; it may be done by several at once and broken off anywhere.
"""

from __future__ import annotations

import msgspec

from queueing import keys
from queueing.brokers.redis_streams.base import RedisBase
from queueing.layout import Split

PAGE = 500
STEPS = 20  # pages a call


class Sorting(RedisBase):
    def _sort_later(self, where: tuple[str, str], *, steps: int = STEPS) -> bool:
        """Move some. Returns whether all have moved."""
        for _ in range(steps):
            split = self._move_later(where)
            if split is None:
                return True
            topic, partition = where
            sorted_ms = int(self.redis.hget(keys.meta(*where), "sorted") or 0)
            ids, up_to = self._page(where, sorted_ms)
            moving = [id_ for id_, key in self._keys_of(where, ids) if split.moves(key, self._firsts[topic])]
            if moving:
                self._scripts["later_leave"](
                    keys=[keys.later(*where), keys.drafts(*where), keys.later_leaving(*where)], args=moving
                )
                self._move_later(where)
            child = (topic, split.child)
            self._scripts["later_sorted"](
                keys=[keys.meta(*child), keys.later_arrived(*child)], args=["arriving", 1, up_to]
            )
            self._scripts["later_sorted"](
                keys=[keys.meta(topic, partition), keys.later_leaving(*where)],
                args=["splitting", split.generation, up_to],
            )
        return False

    def _move_later(self, where: tuple[str, str]) -> Split | None:
        """Let what has left a partition arrive. Returns the split it is part of; None: all have moved."""
        topic, partition = where
        generation = self.redis.hget(keys.meta(*where), "splitting")
        if generation is None:
            return None
        split = Split.of(partition, int(generation), self._firsts[topic])
        child = (topic, split.child)
        leaving = self.redis.hgetall(keys.later_leaving(*where))
        ids = [id_ for id_ in leaving if not id_.endswith((b":b", b":d"))]
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            drafts = [(id_, leaving[id_ + b":d"], leaving[id_], leaving[id_ + b":b"]) for id_ in page]
            arrived = self._scripts["later_arrive"](
                keys=[keys.later(*child), keys.drafts(*child), keys.meta(*child), keys.later_arrived(*child)],
                args=[part for draft in drafts for part in draft],
            )
            if arrived:  # otherwise another did all of it while we looked
                self._scripts["later_left"](keys=[keys.meta(*where), keys.later_leaving(*where)], args=page)
        return split

    def _page(self, where: tuple[str, str], sorted_ms: int) -> tuple[list[bytes], str]:
        """Those due next after `sorted_ms`, and up to when that is all of them."""
        size = PAGE
        while True:
            found = self.redis.zrange(
                keys.later(*where), f"({sorted_ms}", "+inf", byscore=True, offset=0, num=size, withscores=True
            )
            if len(found) < size:
                return [id_ for id_, _ in found], "inf"
            last = found[-1][1]
            before = [(id_, due) for id_, due in found if due < last]  # more of the last moment may follow
            if before:
                return [id_ for id_, _ in before], str(int(before[-1][1]))
            size *= 2

    def _keys_of(self, where: tuple[str, str], ids: list[bytes]) -> list[tuple[bytes, str]]:
        drafts = self.redis.hmget(keys.drafts(*where), ids) if ids else []
        return [(id_, msgspec.json.decode(draft)[2]) for id_, draft in zip(ids, drafts, strict=True) if draft]
