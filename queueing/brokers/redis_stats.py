"""A group's numbers, read in one pipeline from the queue's own counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queueing import keys
from queueing.broker import GroupStats

_COMMANDS = 7


def read_stats(client: Any, where: Sequence[tuple[str, str, str]]) -> list[GroupStats]:
    """where: (topic, partition, group) each. A partition or group that does not exist yet counts zero."""
    with client.pipeline(transaction=False) as pipe:
        pipe.time()
        for topic, partition, group in where:
            log = keys.log(topic, partition)
            pipe.hget(keys.meta(topic, partition), "appended")
            pipe.hmget(keys.counters(topic, partition, group), "skipped", "acked", "done")
            pipe.zcard(keys.retry(topic, partition, group))
            pipe.hlen(keys.holders(topic, partition, group))
            pipe.zcard(keys.dead(topic, partition, group))
            pipe.xpending(log, group)
            pipe.xinfo_groups(log)
        replies = pipe.execute(raise_on_error=False)
    seconds, microseconds = replies[0]
    now_ms = seconds * 1000 + microseconds // 1000
    first_undelivered = _first_undelivered(client, where, replies)
    stats = []
    for number, (topic, partition, group) in enumerate(where):
        appended, seen, delayed, held, dead, pending, _ = _row(replies, number)
        in_flight, first_pending = _pending(pending)
        skipped, acked, done = (int(value or 0) for value in seen)
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
                in_flight=in_flight + held,
                delayed=delayed,
                dead=dead,
                oldest_age_ms=max(0, now_ms - oldest),
            )
        )
    return stats


def _row(replies: Sequence[Any], number: int) -> Sequence[Any]:
    start = 1 + number * _COMMANDS
    return replies[start : start + _COMMANDS]


def _pending(reply: Any) -> tuple[int, int]:
    """How many entries are pending, and the age stamp of the first (ms), 0 for none."""
    if isinstance(reply, Exception) or not reply.get("pending"):
        return 0, 0
    return int(reply["pending"]), _ms(reply["min"])


def _first_undelivered(client: Any, where: Sequence[tuple[str, str, str]], replies: Sequence[Any]) -> list[int]:
    with client.pipeline(transaction=False) as pipe:
        for number, (topic, partition, group) in enumerate(where):
            infos = _row(replies, number)[6]
            last = b"0-0"
            if not isinstance(infos, Exception):
                last = next((i["last-delivered-id"] for i in infos if _name(i["name"]) == group), b"0-0")
            pipe.xrange(keys.log(topic, partition), min=b"(" + last, count=1)
        firsts = pipe.execute(raise_on_error=False)
    return [0 if isinstance(found, Exception) or not found else _ms(found[0][0]) for found in firsts]


def _name(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ms(offset: bytes | str) -> int:
    return int(_name(offset).split("-")[0])
