"""What supervisors tell one another and the operators: the state of a group, a supervisor's beat, an event."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from queueing.autoscaler.limits import Limits
from queueing.autoscaler.policy import Direction
from queueing.subscription import Subscription

HELD_MOST = 64  # consumers: what an operator may ask for
DRAIN = "drain:"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's number, until then by the store's clock."""

    consumers: int
    until_ms: int
    why: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A group as all its supervisors see it. serial: rises with each change; 0 is none yet.

    acked_per_s: before the last change. drains: consumers that were asked to leave.
    """

    serial: int = 0
    desired: int | None = None
    direction: Direction = "hold"
    acked_per_s: float = 0.0
    kind: str = ""
    hold: Hold | None = None
    drains: tuple[str, ...] = ()


class Mine(msgspec.Struct, frozen=True, kw_only=True):
    """What one supervisor has of a group, and what it last decided on it."""

    actual: int
    reason: str = ""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor says it is there. count: only its change means anything. at_ms: for display, by the store's clock.

    house, pid: where a supervisor of the same house can see at once whether this one is gone.
    """

    count: int
    at_ms: int
    house: str
    pid: int
    groups: dict[str, Mine]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the timeline: see queueing.models.ScaleEvent."""

    id: str
    at_ms: int
    group: str
    direction: str
    lag: int
    slope_per_s: float
    acked_per_s: float
    produced_per_s: float
    cap: float | None
    desired: int
    actual: int
    reason: str
    supervisor: str


def beats_from(fields: Mapping[bytes, bytes]) -> dict[str, Beat]:
    """Supervisor → its last beat. One of another version, which says something else, is nobody."""
    found = {}
    for name, said in fields.items():
        with suppress(msgspec.DecodeError):
            found[name.decode()] = msgspec.json.decode(said, type=Beat)
    return found


def state_from(fields: Mapping[bytes, bytes], now_ms: int) -> State:
    """What the store keeps of a group. A hold that is over, and a wish to drain that is, are none."""
    texts = {name.decode(): value.decode() for name, value in fields.items()}
    hold = None
    with suppress(KeyError, msgspec.DecodeError):
        hold = msgspec.json.decode(texts["hold"], type=Hold)
    wishes = {name.removeprefix(DRAIN): int(until) for name, until in texts.items() if name.startswith(DRAIN)}
    return State(
        serial=int(texts.get("serial", 0)),
        desired=int(texts["desired"]) if "desired" in texts else None,
        direction=msgspec.convert(texts.get("direction", "hold"), Direction),
        acked_per_s=float(texts.get("acked", 0)),
        kind=texts.get("kind", ""),
        hold=hold if hold and hold.until_ms > now_ms else None,
        drains=tuple(name for name, until_ms in wishes.items() if until_ms > now_ms),
    )


def limits_of(subscription: Subscription, partitions: int) -> Limits:
    """partitions: of all topics it reads. In ordered mode a consumer without one would have nothing to do."""
    ordered = subscription.mode == "ordered"
    return subscription.scaling.at_most(partitions) if ordered else subscription.scaling
