"""What the fault room shows: which faults act, for how long, what they have done; and the backlog of each group."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec
from redis.exceptions import RedisError

from config.room.faults_made import in_words, stop_id
from config.room.faults_offered import OFFERS, STOP
from queueing.autoscaler import asking
from queueing.autoscaler.asking import Wanted
from queueing.conf import subscriptions
from queueing.console import present, selectors, words
from queueing.console.levels import Level, level
from queueing.console.link import client
from queueing.console.reading import Reading
from queueing.console.snapshot import Group
from queueing.faults import store
from queueing.faults.fault import Kind, Running
from queueing.subscription import WHOLE_GROUP


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that acts. did: what it has done so far, in words."""

    kind: str
    group: str
    id: str
    said: str
    by: str
    left_s: float
    did: str = ""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """One group, in words. points: its lag, for the line that is drawn. alive, desired: consumers; None: nobody says.
    why: the autoscaler's last reason."""

    group: str
    points: int
    alive: int
    desired: int | None
    lag: str
    level: Level
    cells: dict[str, str]  # under COLUMNS
    why: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """acting: None when nobody knows. stale: the numbers are not of now, and the banner says of when."""

    banner: str
    stale: bool
    acting: list[Acting] | None
    groups: list[Backlog]


COLUMNS = {"oldest": "Oldest", "consumed": "Consumed", "consumers": "Consumers", "cap": "Cap"}


def seen() -> Seen:
    """Never raises for a Redis that is away."""
    reading = selectors.read_queue()
    known = reading.snapshot.groups if reading.snapshot else []
    acting: list[Acting] | None = None
    wanted: Mapping[str, Wanted] = {}
    try:
        wanted = asking.read_all()
        acting = _acting(wanted, {group.group: group.alive for group in known})
    except RedisError:
        pass
    return Seen(
        banner=present.banner(reading),
        stale=reading.stale or acting is None,
        acting=acting,
        groups=[_backlog(group, reading, wanted) for group in known],
    )


def as_json() -> bytes:
    return msgspec.json.encode(seen())


def _acting(wanted: Mapping[str, Wanted], alive: Mapping[str, int]) -> list[Acting]:
    """alive: consumers that beat, whoever started them: one that no autoscaler looks after goes on."""
    seconds, microseconds = client().time()
    now_s = int(seconds) + int(microseconds) / 1e6
    stopped = [
        Acting(
            kind=STOP,
            group=one.group,
            id=stop_id(one.held_until),
            said=in_words(OFFERS[STOP], one.group, None),
            by=one.held_why,
            left_s=max(0.0, one.held_until.timestamp() - now_s),
            did=f"{alive.get(one.group) or 'none'} of its consumers at work",
        )
        for one in wanted.values()
        if one.held_until is not None and one.desired == 0
    ]
    return stopped + [_of_a_fault(running) for running in store.running(client(), sorted(subscriptions()))]


def _of_a_fault(running: Running) -> Acting:
    fault = running.fault
    return Acting(
        kind=fault.kind,
        group=fault.group,
        id=fault.id,
        said=in_words(OFFERS[fault.kind], fault.group, fault.value),
        by=fault.by,
        left_s=round(running.left_s, 1),
        did=_did(running),
    )


def _did(running: Running) -> str:
    did = running.did.get
    match running.fault.kind:
        case Kind.BANK:
            return f"{did('asked', 0):,} asked, {max(0, did('asked', 0) - did('answered', 0)):,} wait now"
        case Kind.SMS:
            return f"{did('refused', 0):,} of {did('asked', 0):,} SMS refused"
        case Kind.DATABASE:
            away = f"; {did('turned_away', 0):,} times too many waited" if did("turned_away", 0) else ""
            return f"{did('messages', 0):,} messages in {did('transactions', 0):,} transactions{away}"
        case Kind.PACE:
            return f"{did('messages', 0):,} messages at this pace"
        case Kind.FREEZE:
            return f"process {running.fault.pid} {_state(running)}"
        case Kind.LIFT:
            return ""


def _state(running: Running) -> str:
    """What this machine's kernel says of the frozen process."""
    if running.fault.host != socket.gethostname():
        return f"on {running.fault.host}"
    try:
        stat = Path(f"/proc/{running.fault.pid}/stat").read_text()
    except OSError:
        return "is gone" if Path("/proc/self").exists() else ""
    return "stands still" if stat.rpartition(")")[2].split()[0] == "T" else "has not stopped yet"


def _backlog(group: Group, reading: Reading, wanted: Mapping[str, Wanted]) -> Backlog:
    rate, want = reading.rates.get(group.group), wanted.get(group.group)
    colour, word = level("lag", group.lag)
    return Backlog(
        group=group.group,
        points=group.lag,
        alive=group.alive,
        desired=want.desired if want else None,
        lag=f"{words.count(group.lag)} {word}".strip(),
        level=colour,
        cells={
            "oldest": words.span_ms(group.oldest_age_ms),
            "consumed": words.per_second(rate.consumed if rate else None),
            "consumers": f"{group.alive} of {want.desired}" if want else str(group.alive),
            "cap": _cap(group.caps),
        },
        why=want.reason if want else "",
    )


def _cap(caps: Mapping[str, float | None]) -> str:
    """In few words: {"orders.placed": 1000, "orders.events": 1000} → 1,000/s a topic"""
    rates = set(caps.values())
    if not rates - {None}:
        return "none"
    [rate, *others] = rates
    return words.caps(caps) if others or WHOLE_GROUP in caps else f"{words.per_second(rate)} a topic"
