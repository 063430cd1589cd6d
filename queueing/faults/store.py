"""Where faults are kept: one key each, which Redis forgets when its time is over. Nobody has to come back for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from queueing import keys
from queueing.brokers.lua import load
from queueing.faults.fault import Fault, Kind, Running, decoded, encoded

COUNTED_FOR_S = 3600  # how long what a fault did is remembered


def begin(redis: Any, fault: Fault, *, seconds: float) -> bool:
    """Let it act for so long. False: one of its kind acts already, there.

    Raises:
        redis.RedisError: Redis does not answer; whether it began is not known.
    """
    return bool(redis.set(keys.fault(fault.kind, fault.group), encoded(fault), nx=True, px=int(seconds * 1000)))


def end(redis: Any, fault: Fault) -> bool:
    """End this one now. False: it had ended; another of its kind, begun since, goes on.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    script = redis.register_script(_ending())
    return bool(script(keys=[keys.fault(fault.kind, fault.group)], args=[encoded(fault)]))


def forget(redis: Any, group: str) -> None:
    """Whatever acts on this group, or on the house.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    redis.delete(*(keys.fault(kind, group if kind.of_a_group else "") for kind in Kind))


def running(redis: Any, groups: Sequence[str]) -> list[Running]:
    """What acts now, on the house or one of these groups.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    places = [(kind, group) for kind in Kind for group in (groups if kind.of_a_group else [""])]
    with redis.pipeline(transaction=False) as pipe:
        for kind, group in places:
            pipe.get(keys.fault(kind, group))
            pipe.pttl(keys.fault(kind, group))
        replies = pipe.execute()
    found = [
        (fault, left_ms / 1000)
        for text, left_ms in zip(replies[::2], replies[1::2], strict=True)
        if (fault := decoded(text)) and left_ms >= 0
    ]
    with redis.pipeline(transaction=False) as pipe:
        for fault, _ in found:
            pipe.hgetall(keys.fault_did(fault.id))
        counts = pipe.execute()
    return [
        Running(fault=fault, left_s=left_s, did={what.decode(): int(n) for what, n in did.items()})
        for (fault, left_s), did in zip(found, counts, strict=True)
    ]


def count(redis: Any, fault: Fault, **did: int) -> dict[str, int]:
    """Note what it has just done, e.g. asked=100, refused=20. Returns how often it has done that altogether.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    key = keys.fault_did(fault.id)
    with redis.pipeline(transaction=False) as pipe:
        for what, number in did.items():
            pipe.hincrby(key, what, number)
        pipe.expire(key, COUNTED_FOR_S)
        return dict(zip(did, pipe.execute(), strict=False))


@cache
def _ending() -> str:
    return load("fault_end")
