"""The fence: one instant per partition at which everything Redis holds about it is read together.

The partition's groups, retry sets, dead letters and, for an admission log, its gate share a hash tag, so MULTI reads
them as one instant, and equations over them are exact while orders keep coming. PostgreSQL's snapshot is taken after
all fences and the entries are read after the snapshot: whatever PostgreSQL knows has its entry among those read, and
whatever Redis had finished at a fence has its row in the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from inventory import keys as gate_keys
from queueing import keys

Offset = tuple[int, int]
EVERYTHING = 2**31


@dataclass(slots=True)
class GroupState:
    name: str
    last: Offset  # the last entry delivered to it; (0, 0) for a subscriber that has not begun
    pending: list[Offset]
    counters: dict[str, str]
    retry: list[str]
    holders: list[str]
    waiting: dict[str, str]
    dead: list[str]
    graves: dict[str, str]
    parked: list[str]
    leaving: dict[str, str]  # on its way to the partition that its key moved to
    heads: dict[str, str]
    quarantined: list[str]
    purged: list[str]


@dataclass(slots=True)
class Fence:
    topic: str
    partition: str
    last: Offset
    length: int
    ever_added: int  # by Redis's own count, which nobody of us writes
    last_deleted: str  # the highest entry that XDEL ever took out; trimming leaves no such mark
    counters: dict[str, str]
    later: dict[str, int]  # delayed message id → due, ms
    drafts: list[str]
    leaving: list[str]  # delayed messages on their way to the partition that their key moved to
    groups: list[GroupState]
    gate: dict[str, str] = field(default_factory=dict)
    buyers: dict[str, str] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)


def partitions(client: redis.Redis) -> list[tuple[str, str]]:
    """Topic and partition of every log and gate there is, found by scanning: a list of them could be wrong."""
    found = set()
    places = [of("*", "*") for of in (keys.log, keys.later, keys.later_leaving)]
    for pattern in (*places, f"gate:{keys.tag(gate_keys.TOPIC, '*')}"):
        for key in client.scan_iter(match=pattern, count=1000):
            topic, _, partition = text(key).partition("{")[2].partition("}")[0].partition(":")
            found.add((topic, partition))
    # A partition before those that were split from it: what moves meanwhile is seen where it was, or where it arrives.
    return sorted(found, key=lambda where: (where[0], len(where[1]), where[1]))


def read(client: redis.Redis, topic: str, partition: str, subscribers: Iterable[str]) -> Fence:
    """The instant of one partition. subscribers: groups that will read it, whether or not they have begun."""
    log = keys.log(topic, partition)
    known = {text(info["name"]) for info in _groups(client, log)}
    names = sorted(known | set(subscribers))
    with client.pipeline(transaction=True) as pipe:
        pipe.xinfo_stream(log)
        pipe.xinfo_groups(log)
        pipe.hgetall(keys.meta(topic, partition))
        pipe.zrange(keys.later(topic, partition), 0, -1, withscores=True)
        pipe.hkeys(keys.drafts(topic, partition))
        pipe.hkeys(keys.later_leaving(topic, partition))
        is_gate = topic == gate_keys.TOPIC and partition.isdigit()
        if is_gate:  # else not asked: a gate's keys lie in another slot than this partition's
            pipe.hgetall(gate_keys.gate(int(partition)))
            pipe.hgetall(gate_keys.buyers(int(partition)))
            pipe.smembers(gate_keys.applied(int(partition)))
        for name in names:
            where = (topic, partition, name)
            pipe.xpending_range(log, name, "-", "+", EVERYTHING)
            pipe.hgetall(keys.counters(*where))
            pipe.zrange(keys.retry(*where), 0, -1)
            pipe.hkeys(keys.holders(*where))
            pipe.hgetall(keys.waiting(*where))
            pipe.zrange(keys.dead(*where), 0, -1)
            pipe.hgetall(keys.graves(*where))
            pipe.zrange(keys.parked(*where), 0, -1)
            pipe.hgetall(keys.leaving(*where))
            pipe.hgetall(keys.heads(*where))
            pipe.smembers(keys.quarantined(*where))
            pipe.zrange(keys.purged(*where), 0, -1)
        replies = pipe.execute(raise_on_error=False)
    stream, infos, meta, later, drafts, leaving, *rest = replies
    gate, buyers, applied = rest[:3] if is_gate else ({}, {}, [])
    rest = rest[3:] if is_gate else rest
    if isinstance(stream, redis.ResponseError):  # no log yet: a gate nobody has bought from
        stream, infos = (
            {"last-generated-id": b"0-0", "length": 0, "entries-added": 0, "max-deleted-entry-id": b"0-0"},
            [],
        )
    delivered = {text(info["name"]): offset(info["last-delivered-id"]) for info in infos}
    groups = [
        _group(name, delivered, rest[start : start + 12])
        for name, start in zip(names, range(0, len(rest), 12), strict=True)
    ]
    return Fence(
        topic=topic,
        partition=partition,
        last=offset(stream["last-generated-id"]),
        length=int(stream["length"]),
        ever_added=int(stream["entries-added"]),
        last_deleted=text(stream["max-deleted-entry-id"]),
        counters=_texts(meta),
        later={text(message_id): int(due) for message_id, due in later},
        drafts=[text(field) for field in drafts if not text(field).endswith(":b")],
        leaving=[text(field) for field in leaving if not text(field).endswith((":b", ":d"))],
        groups=groups,
        gate=_texts(gate),
        buyers=_texts(buyers),
        applied=[text(member) for member in applied],
    )


def trimmed_since(client: redis.Redis, fences: Sequence[Fence]) -> list[str]:
    """Partitions that retention has trimmed since their fence: not all that was there can be read any more."""
    with client.pipeline(transaction=False) as pipe:
        for fence in fences:
            pipe.hget(keys.meta(fence.topic, fence.partition), "trimmed")
        now = pipe.execute()
    return [
        f"{fence.topic}/{fence.partition}"
        for fence, trimmed in zip(fences, now, strict=True)
        if text(trimmed or b"0") != fence.counters.get("trimmed", "0")
    ]


def _group(name: str, delivered: dict[str, Offset], replies: Sequence[Any]) -> GroupState:
    pending, counters, retry, holders, waiting, dead, graves, parked, leaving, heads, quarantined, purged = replies
    return GroupState(
        name=name,
        last=delivered.get(name, (0, 0)),
        pending=[offset(entry["message_id"]) for entry in pending] if name in delivered else [],
        counters=_texts(counters),
        retry=[text(member) for member in retry],
        holders=[text(member) for member in holders],
        waiting=_texts(waiting),
        dead=[text(member) for member in dead],
        graves=_texts(graves),
        parked=[keys.parked_id(member) for member in parked],
        leaving=_texts(leaving),
        heads=_texts(heads),
        quarantined=[text(member) for member in quarantined],
        purged=[text(member) for member in purged],
    )


def _groups(client: redis.Redis, log: str) -> Any:
    try:
        return client.xinfo_groups(log)
    except redis.ResponseError:
        return []


def store(client: Any) -> tuple[str, str, int]:
    """Which Redis this is, which one was approved, and how far its relay has told."""
    with client.pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.get(gate_keys.APPROVED)
        pipe.get(keys.TIDE)
        info, approved, tide = pipe.execute()
    return info["run_id"], text(approved or b""), int(tide or 0)


def offset(value: bytes | str) -> Offset:
    """ "1763641421000-3" → (1763641421000, 3)."""
    ms, _, n = text(value).partition("-")
    return int(ms), int(n)


def text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _texts(mapping: Any) -> dict[str, str]:
    return {text(name): text(value) for name, value in mapping.items()}
