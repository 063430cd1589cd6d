"""Which Redis may admit: one whose data was compared with PostgreSQL's since it began its present life.

A Redis draws a new run_id whenever it starts. `gate:approved`, kept in the data itself, names the life in which the
data was compared last. A restart (perhaps on an older file) and a promoted replica (perhaps one that lags) bring their
data under another run_id, so the two differ until config/recovery has looked. Each new connection asks once; an
admission costs nothing more. An emptied Redis keeps its run_id and has no gates, so it admits nobody either way.

PostgreSQL cannot know an admission that was lost before it had a row. The process that told its buyer does: it keeps
the highest sequence of each sale it saw acknowledged, and on a new connection closes a gate that has counted less far.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import redis

from inventory import keys

logger = logging.getLogger(__name__)

SALES_REMEMBERED = 256  # of them, those admitted to first are forgotten first
_highest: dict[int, tuple[int, int]] = {}
_said: dict[int, tuple[int, int]] = {}  # the losses that stand in the log
_RUN_ID, _ROLE = re.compile(rb"run_id:(\w+)"), re.compile(rb"role:(\w+)")
_CLOSE = Path(__file__).parent / "lua" / "close.lua"
Command = tuple[str | bytes | int, ...]


class NotApproved(redis.ConnectionError):
    """This Redis may not admit now: it is a replica, or nobody has compared its data with PostgreSQL's."""


def saw(*, sale_id: int, epoch: int, seq: int) -> None:
    """A buyer is about to be told this admission."""
    if (epoch, seq) > _highest.get(sale_id, (0, 0)):
        if sale_id not in _highest and len(_highest) >= SALES_REMEMBERED:
            forgotten = next(iter(_highest))
            _highest.pop(forgotten, None)
            _said.pop(forgotten, None)
        _highest[sale_id] = epoch, seq


def forget() -> None:
    """As a new process would: for tests, whose Redis is emptied on purpose."""
    _highest.clear()
    _said.clear()


def check(connection: Any) -> None:
    """redis-py's hook on a new connection.

    Raises:
        NotApproved: nobody may be admitted through it.
    """
    connection.on_connect()
    seen = dict(_highest)
    connection.send_packed_command(connection.pack_commands(_questions(seen)))
    replies = [connection.read_response() for _ in range(2 + len(seen))]
    for command in _verdict(replies, seen):
        connection.send_command(*command)
        connection.read_response()
        raise NotApproved("this Redis has counted fewer admissions than this process has told")


async def acheck(connection: Any) -> None:
    """As `check`, for asyncio."""
    await connection.on_connect()
    seen = dict(_highest)
    await connection.send_packed_command(b"".join(connection.pack_commands(_questions(seen))))
    replies = [await connection.read_response() for _ in range(2 + len(seen))]
    for command in _verdict(replies, seen):
        await connection.send_command(*command)
        await connection.read_response()
        raise NotApproved("this Redis has counted fewer admissions than this process has told")


def _questions(seen: dict[int, tuple[int, int]]) -> list[Command]:
    return [
        ("INFO", "server", "replication"),
        ("GET", keys.APPROVED),
        *(("HMGET", keys.gate(sale_id), "epoch", "seq") for sale_id in seen),
    ]


def _verdict(replies: Sequence[Any], seen: dict[int, tuple[int, int]]) -> Iterator[Command]:
    """The commands that close gates which run behind what was told; empty when all is well."""
    said, approved, *gates = replies
    info = said.encode() if isinstance(said, str) else said
    if (role := _ROLE.search(info)) and role[1] != b"master":
        raise NotApproved("REDIS_URL points at a read-only replica: it must be the primary")
    run_id = _RUN_ID.search(info)
    if approved is not None and run_id is not None and approved != run_id[1]:
        raise NotApproved("this Redis began a new life, and its data is still being compared with PostgreSQL's")
    for (sale_id, told), (epoch, seq) in zip(seen.items(), gates, strict=True):
        if epoch is not None and (int(epoch), int(seq)) < told:
            if _said.get(sale_id) != told:  # once a loss, not once a connection
                logger.error(
                    "sale %s: Redis counts admission %s of epoch %s, buyers were told %s of %s: it lost data; closed",
                    sale_id, int(seq), int(epoch), told[1], told[0],
                )  # fmt: skip
            _said[sale_id] = told
            yield ("EVAL", _close(), 1, keys.gate(sale_id), *told)


@cache
def _close() -> str:
    return _CLOSE.read_text()
