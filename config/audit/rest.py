"""Rest: nothing is on its way any more. Orders that wait for a person, or for a due time, are at rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import redis

from config.audit import fence
from queueing import keys

POLL_S = 0.2

_ROWS = {
    "outbox: events not told yet": "SELECT count(*) FROM outbox",
    "inventory: movements the gate has not taken in": (
        "SELECT count(*) FROM ledger WHERE kind IN ('open', 'add', 'return') AND applied_at IS NULL"
    ),
    "payments: the bank has more to tell": ("SELECT count(*) FROM payments_demowebhook WHERE delivered_at IS NULL"),
    "payments: refunds not made yet": "SELECT count(*) FROM refunds WHERE status = 'requested'",
    "notifications: messages to be sent": ("SELECT count(*) FROM notices WHERE status IN ('pending', 'sending')"),
}


def on_its_way(
    client: redis.Redis,
    session: psycopg.Connection[Any],
    where: Iterable[tuple[str, str]],
    subscribers: Callable[[str], set[str]],
) -> dict[str, int]:
    """What → how many; empty at rest. where: the partitions to look at."""
    found: dict[str, int] = {}
    for topic, partition in where:
        for group, count in _behind(client, topic, partition, subscribers(topic)).items():
            if count:
                found[f"{group}: messages of {topic}/{partition}"] = count
        if due := _due(client, topic, partition):
            found[f"delayed messages of {topic}/{partition}, due"] = due
    for what, statement in _ROWS.items():
        row = session.execute(statement).fetchone()  # constants of this module
        if row and row[0]:
            found[what] = row[0]
    return found


def wait(look: Callable[[], dict[str, int]], *, seconds: float) -> dict[str, int]:
    """Look until nothing is on its way, or until the time is over. Returns what is left."""
    deadline = time.monotonic() + seconds
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def _due(client: redis.Redis, topic: str, partition: str) -> int:
    seconds, microseconds = client.time()
    return int(client.zcount(keys.later(topic, partition), "-inf", seconds * 1000 + microseconds // 1000))


def _behind(client: redis.Redis, topic: str, partition: str, subscribers: set[str]) -> dict[str, int]:
    log = keys.log(topic, partition)
    try:
        stream: Any = client.xinfo_stream(log)
        infos: Any = client.xinfo_groups(log)
    except redis.ResponseError:  # no log yet
        return {}
    found = dict.fromkeys(subscribers, int(stream["length"]))
    for info in infos:
        undelivered = fence.offset(info["last-delivered-id"]) < fence.offset(stream["last-generated-id"])
        found[fence.text(info["name"])] = int(info["pending"]) + (int(info["lag"] or 1) if undelivered else 0)
    for group in found:
        where = (topic, partition, group)
        outside = (
            client.zcard(keys.retry(*where)) + client.hlen(keys.holders(*where)) + client.hlen(keys.leaving(*where))
        )
        found[group] += outside
    return found
