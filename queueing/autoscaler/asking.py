"""What operators may ask of the autoscaler, and what it says of itself. Anybody may ask it, from any process.

A hold is a number for a while; it ends by itself, and what the lag asks for then counts again. All of it lies in Redis,
so every supervisor follows it within a second, and one that is started later does, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import msgspec

from queueing import keys
from queueing.autoscaler.records import DRAIN, HELD_MOST, Beat, Hold, Mine, State, beats_from, limits_of, state_from
from queueing.brokers.lua import load
from queueing.brokers.redis_layout import read_partitions
from queueing.conf import subscriptions, topics
from queueing.console.link import client

HELD_MOST_S = 24 * 3600.0
LONGEST_WHY = 400  # characters
DRAIN_WITHIN_S = 60.0
SILENT_AFTER_MS = 5_000  # for display; supervisors go by how a count changes


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A group as the autoscaler sees it.

    desired: consumers there should be, an operator's number while one holds. actual: those that run under a supervisor
    which said so lately. least, most: what the lag may ask for. held_until: None when nobody holds it. reason: of the
    last decision, "" when no supervisor ever looked.
    """

    group: str
    desired: int
    actual: int
    least: int
    most: int
    held_until: datetime | None = None
    held_why: str = ""
    reason: str = ""


def hold(group: str, consumers: int, seconds: float, why: str, *, replace: bool = True) -> bool:
    """For so long the number of consumers is this one: 0 stops the group, and more than its most is allowed.

    replace: a hold that somebody else has. Otherwise that one stays, and the answer is False.

    Raises:
        LookupError: no group is called so.
        ValueError: consumers or seconds are out of bounds, or the reason is too long.
        redis.RedisError: Redis does not answer.
    """
    _check(group)
    if not 0 <= consumers <= HELD_MOST:
        raise ValueError(f"{consumers} consumers: 0 to {HELD_MOST} may be held")
    if not 0 < seconds <= HELD_MOST_S:
        raise ValueError(f"{seconds} seconds: a number may be held for up to {HELD_MOST_S:.0f}")
    if len(why) > LONGEST_WHY:
        raise ValueError(f"a reason of {len(why):,} characters: at most {LONGEST_WHY}, as every page shows it")
    until_ms = _now_ms() + round(seconds * 1000)
    held = Hold(consumers=consumers, until_ms=until_ms, why=why)
    if replace:
        client().hset(keys.scale(group), mapping={"hold": msgspec.json.encode(held), "kind": ""})
        return True
    return bool(client().register_script(_holding())(keys=[keys.scale(group)], args=[msgspec.json.encode(held)]))


def release(group: str, *, until_ms: int | None = None) -> bool:
    """End a hold now; until_ms: only the one that would end by itself then. False: there was none.

    Raises:
        LookupError, redis.RedisError: see hold.
    """
    _check(group)
    which = "" if until_ms is None else until_ms
    return bool(client().register_script(_releasing())(keys=[keys.scale(group)], args=[which]))


def drain(group: str, consumer_name: str) -> bool:
    """This one consumer finishes its batch and leaves; unless fewer are wanted, another takes its place.

    Only an autoscaler's own children can be asked. False: no consumer of the group has this name.

    Raises:
        LookupError, redis.RedisError: see hold.
    """
    _check(group)
    if not client().hexists(keys.beats(group), consumer_name):
        return False
    until_ms = _now_ms() + round(DRAIN_WITHIN_S * 1000)
    client().hset(keys.scale(group), f"{DRAIN}{consumer_name}", until_ms)
    return True


def read(group: str) -> Wanted:
    """
    Raises:
        LookupError, redis.RedisError: see hold.
    """
    _check(group)
    return read_all()[group]


def read_all() -> dict[str, Wanted]:
    """Group → what is wanted of it, of every group of the house. Two round trips.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    groups = sorted(subscriptions())
    layout = read_partitions(client(), topics().values())
    with client().pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.hgetall(keys.SCALERS)
        for group in groups:
            pipe.hgetall(keys.scale(group))
        (seconds, microseconds), beats, *states = pipe.execute()
    now_ms = seconds * 1000 + microseconds // 1000
    alive = sorted(_alive(beats, now_ms), key=lambda beat: beat.at_ms)
    partitions = {topic: len(known.partitions) for topic, known in layout.items()}
    return {
        group: _wanted(
            group,
            state_from(fields, now_ms),
            [beat.groups[group] for beat in alive if group in beat.groups],
            sum(partitions.get(topic, 0) for topic in subscriptions()[group].topics),
        )
        for group, fields in zip(groups, states, strict=True)
    }


def _wanted(group: str, state: State, told: list[Mine], partitions: int) -> Wanted:
    limits, hold = limits_of(subscriptions()[group], partitions), state.hold
    return Wanted(
        group=group,
        desired=hold.consumers if hold else limits.within(state.desired or limits.least),
        actual=sum(mine.actual for mine in told),
        least=limits.least,
        most=limits.most,
        held_until=datetime.fromtimestamp(hold.until_ms / 1000, UTC) if hold else None,
        held_why=hold.why if hold else "",
        reason=told[-1].reason if told else "",
    )


def _alive(beats: Mapping[bytes, bytes], now_ms: int) -> list[Beat]:
    return [beat for beat in beats_from(beats).values() if now_ms - beat.at_ms <= SILENT_AFTER_MS]


def _check(group: str) -> None:
    if group not in subscriptions():
        raise LookupError(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")


@cache
def _holding() -> str:
    return load("hold")


@cache
def _releasing() -> str:
    return load("release")


def _now_ms() -> int:
    seconds, microseconds = client().time()
    return int(seconds) * 1000 + int(microseconds) // 1000
