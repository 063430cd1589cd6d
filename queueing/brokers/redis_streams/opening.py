"""Opening a partition that was split from another, to one group.

A group may read it once it has settled all that the other had before the split, and what it holds outside the log of
keys that moved has moved along: taken out of circulation there, taken in here, forgotten there. Any consumer of the
group does it when it looks for partitions; it may be done by several at once and broken off anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from queueing import keys
from queueing.broker import BEGINNING, END, Position
from queueing.brokers.envelope import from_json, to_json
from queueing.brokers.redis_seek import parts
from queueing.brokers.redis_streams.base import RedisBase
from queueing.layout import Split

PAGE = 200  # messages a script
MOST = 5_000  # messages that are moved at one look: its consumer must not stand still for a lease


class Keyed(msgspec.Struct, frozen=True):
    key: str


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What held_leave.lua writes down of a message. set: retry, parked or dead, with its score there."""

    key: str
    set: str
    score: str
    envelope: str
    leaving: int  # the how many-th it is of those that ever left this partition in this way
    head: bool = False  # its key waits for it
    begun: str | None = None
    sequence: str | None = None
    quarantined: bool = False


class Move:
    """One split, one group."""

    def __init__(self, broker: RedisBase, group: str, topic: str, split: Split, first: int) -> None:
        self.redis, self.scripts = broker.redis, broker._scripts
        self.group, self.split, self.first = group, split, first
        self.here, self.there = (topic, split.partition, group), (topic, split.child, group)

    def finish(self, round_: str) -> bool:
        """Move what is to be moved, and open. False: not yet; ask again."""
        topic, partition, _ = self.here
        switch = self.redis.hget(keys.meta(topic, partition), f"switch:{self.split.generation}")
        before = self._leave(switch, {}) if switch is not None else None
        if before is None:
            return False
        held = self._held()
        stay = 0
        for some in _pages(held):
            state = self._leave(switch, some)
            if state is None:
                return False
            stay += state[2]
        if not self._arrive(round_) or stay or sum(map(len, held.values())) >= MOST:
            return False
        after = self._leave(switch, {})
        if after is None or after[0] != before[0]:  # a dead letter was replayed: it may be where we had looked already
            return False
        opened = self.scripts["open"](keys=[keys.counters(*self.there), keys.arrived(*self.there)], args=[round_])
        return bool(opened)

    def _leave(self, switch: bytes, held: dict[str, list[bytes]]) -> Any:
        of_group = (keys.counters, keys.holders, keys.waiting, keys.retry, keys.dead, keys.graves, keys.heads,
                    keys.parked, keys.leaving, keys.quarantined)  # fmt: skip
        arguments: list[Any] = [part for key, ids in held.items() for part in (key, len(ids), *ids)]
        return self.scripts["held_leave"](
            keys=[keys.log(*self.here[:2]), *(key(*self.here) for key in of_group)],
            args=[self.group, switch, *arguments],
        )

    def _held(self) -> dict[str, list[bytes]]:
        """Key that moved → ids of what is held of it. First where messages come from: graves get them from waiting."""
        found: dict[str, list[bytes]] = {}
        for hash_ in (keys.waiting(*self.here), keys.graves(*self.here)):
            for id_, text in self.redis.hscan_iter(hash_, count=500):
                if id_.endswith((b":n", b":s")):
                    continue
                try:
                    key = msgspec.json.decode(text, type=Keyed).key
                except ValueError:  # no program of ours wrote it; it can be seen and purged where it is
                    continue
                if self.split.moves(key, self.first):
                    found.setdefault(key, []).append(id_)
            if sum(map(len, found.values())) >= MOST:
                break
        return found

    def _arrive(self, round_: str) -> bool:
        """Take in what has left. False: the partition is open, or the group was put back."""
        leaving = self.redis.hgetall(keys.leaving(*self.here))
        records = [(id_, msgspec.json.decode(text, type=Record)) for id_, text in leaving.items()]
        mine = [(id_, record) for id_, record in records if self.split.moves(record.key, self.first)]
        mine.sort(key=lambda pair: (pair[1].key, not pair[1].head, pair[1].sequence or ""))  # a head before followers
        of_group = (keys.counters, keys.waiting, keys.retry, keys.dead, keys.graves, keys.heads, keys.parked,
                    keys.arrived, keys.quarantined)  # fmt: skip
        for start in range(0, len(mine), PAGE):
            page = mine[start : start + PAGE]
            arrived = self.scripts["held_arrive"](
                keys=[key(*self.there) for key in of_group],
                args=[round_, *(part for id_, record in page for part in (id_, self._addressed(record)))],
            )
            if not arrived:
                return False
            self.scripts["held_left"](
                keys=[keys.counters(*self.here), keys.leaving(*self.here)], args=[id_ for id_, _ in page]
            )
        return True

    def _addressed(self, record: Record) -> bytes:
        envelope = msgspec.structs.replace(from_json(record.envelope.encode()), partition=self.split.child)
        return msgspec.json.encode(msgspec.structs.replace(record, envelope=to_json(envelope).decode()))


class Opening(RedisBase):
    def _opened(self, group: str, where: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these partitions that the group may read, after opening what can be opened."""
        made_by = {place: self._split_that_made(*place) for place in where}
        grown = [place for place, split in made_by.items() if split is not None]
        if not grown:
            return where
        with self.redis.pipeline(transaction=False) as pipe:
            for place in grown:
                pipe.hmget(keys.counters(*place, group), "open", "round")
            states = dict(zip(grown, pipe.execute(), strict=True))
        found: set[tuple[str, str]] = set()
        for (topic, partition), split in made_by.items():  # each comes after the one that it was split from
            if split is None:
                found.add((topic, partition))
                continue
            is_open, round_ = states[topic, partition]
            move = Move(self, group, topic, split, self._firsts[topic])
            if is_open or ((topic, split.partition) in found and move.finish((round_ or b"0").decode())):
                found.add((topic, partition))
        return [place for place in where if place in found]

    def _shut_beyond(self, group: str, topic: str, partition: str, to: Position) -> None:
        """The group goes back to a position: what was split from the partition later waits for it again."""
        grown = self._grown_from(topic, partition)[1:]
        if not grown or to == END:
            return
        back_to = (0, 0) if to == BEGINNING else parts(f"{to}-0" if isinstance(to, int) else to)
        switches = self.redis.hgetall(keys.meta(topic, partition))
        again = {partition}
        for child in grown:
            split = self._split_that_made(topic, child)
            assert split is not None
            if split.partition == partition:
                switch = switches.get(f"switch:{split.generation}".encode())
                waits = switch is not None and back_to <= parts(switch)
            else:
                waits = split.partition in again
            if waits:
                again.add(child)
                self._scripts["shut"](keys=[keys.counters(topic, child, group), keys.lease(topic, child, group)])


def _pages(held: dict[str, list[bytes]]) -> Iterator[dict[str, list[bytes]]]:
    """All of a key in one page: it moves with all that waits behind it, or not yet."""
    page: dict[str, list[bytes]] = {}
    for key, ids in held.items():
        page[key] = ids
        if sum(map(len, page.values())) >= PAGE:
            yield page
            page = {}
    if page:
        yield page
