"""A group's numbers, read in two pipelines from the queue's own counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from queueing import keys
from queueing.broker import GroupStats

Log = tuple[str, str]  # topic, partition
_PER_LOG = 5
_PER_GROUP = 8


def read_stats(client: Any, where: Sequence[tuple[str, str, str]]) -> list[GroupStats]:
    """where: (topic, partition, group) each. A partition or group that does not exist yet counts zero."""
    return read_stats_at(client, where)[1]


def read_stats_at(client: Any, where: Sequence[tuple[str, str, str]]) -> tuple[int, list[GroupStats]]:
    """The same, with the moment they are of: milliseconds since 1970 on Redis's clock."""
    logs: list[Log] = list(dict.fromkeys((topic, partition) for topic, partition, _ in where))
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        for topic, partition in logs:
            pipe.hmget(keys.meta(topic, partition), "appended", "trimmed")
            pipe.xinfo_groups(keys.log(topic, partition))
            pipe.zcard(keys.later(topic, partition))
            pipe.hlen(keys.later_leaving(topic, partition))
            pipe.xlen(keys.log(topic, partition))
        for topic, partition, group in where:
            pipe.hmget(
                keys.counters(topic, partition, group),
                "skipped",
                "acked",
                "done",
                "purged",
                "retried",
                "buried",
                "moved",
            )
            pipe.zcard(keys.retry(topic, partition, group))
            pipe.hvals(keys.holders(topic, partition, group))
            pipe.zcard(keys.dead(topic, partition, group))
            pipe.zcard(keys.parked(topic, partition, group))
            pipe.scard(keys.quarantined(topic, partition, group))
            pipe.hlen(keys.leaving(topic, partition, group))
            pipe.xpending(keys.log(topic, partition), group)
        clock, *replies = pipe.execute(raise_on_error=False)
    if isinstance(clock, Exception):
        raise clock  # a Redis that is still loading answers everything with an error
    now_ms = clock[0] * 1000 + clock[1] // 1000
    about_logs = dict(zip(logs, _chunks(replies, 0, _PER_LOG), strict=False))
    rows = list(_chunks(replies, len(logs) * _PER_LOG, _PER_GROUP))
    first_undelivered = _first_undelivered(client, where, {log: infos for log, (_, infos, *_) in about_logs.items()})
    stats = []
    for number, (topic, partition, group) in enumerate(where):
        seen, delayed, held, dead, parked, quarantined, leaving, pending = rows[number]
        in_hands, first_pending = _pending(pending)
        in_hands.update(map(_name, held))
        skipped, acked, done, purged, retried, buried, moved = (int(value or 0) for value in seen)
        (appended, trimmed), infos, later, later_leaving, kept = about_logs[topic, partition]
        if not _has_begun(infos, group):
            skipped = int(trimmed or 0)  # it will start with the first entry that is kept
        oldest = min((ms for ms in (first_pending, first_undelivered[number]) if ms), default=now_ms)
        stats.append(
            GroupStats(
                topic=topic,
                partition=partition,
                group=group,
                appended=int(appended or 0),
                acked=acked,
                skipped=skipped,
                done=done,
                in_flight=in_hands.total(),
                in_hands=in_hands,
                delayed=delayed + leaving,
                dead=dead,
                parked=parked,
                retried=retried,
                buried=buried,
                quarantined=quarantined,
                purged=purged,
                oldest_age_ms=max(0, now_ms - oldest),
                later=later + later_leaving // 3,  # its envelope, its body and when it is due
                trimmed=int(trimmed or 0),
                kept=kept,
                moved=moved,
            )
        )
    return now_ms, stats


def _has_begun(infos: Any, group: str) -> bool:
    return not isinstance(infos, Exception) and any(_name(info["name"]) == group for info in infos)


def _chunks(replies: Sequence[Any], start: int, size: int) -> Sequence[Sequence[Any]]:
    return [replies[at : at + size] for at in range(start, len(replies), size)]


def _pending(reply: Any) -> tuple[Counter[str], int]:
    """How many entries each consumer has in hand, and the age stamp of the first (ms), 0 for none."""
    if isinstance(reply, Exception) or not reply.get("pending"):
        return Counter(), 0
    return Counter({_name(one["name"]): int(one["pending"]) for one in reply["consumers"]}), _ms(reply["min"])


def _first_undelivered(client: Any, where: Sequence[tuple[str, str, str]], infos: Mapping[Log, Any]) -> list[int]:
    """The age stamp (ms) of the first entry each group has not read yet, 0 for none."""
    with client.pipeline(transaction=False) as pipe:
        for topic, partition, group in where:
            about = infos[topic, partition]
            last = b"0-0"
            if not isinstance(about, Exception):
                last = next((i["last-delivered-id"] for i in about if _name(i["name"]) == group), b"0-0")
            pipe.xrange(keys.log(topic, partition), min=b"(" + last, count=1)
        firsts = pipe.execute(raise_on_error=False)
    return [0 if isinstance(found, Exception) or not found else _ms(found[0][0]) for found in firsts]


def _name(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ms(offset: bytes | str) -> int:
    return int(_name(offset).split("-")[0])
