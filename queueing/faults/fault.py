"""One fault: what it does, to whom, how strong, who wanted it."""

from __future__ import annotations

import secrets
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """of_a_group: whether it is one group's, or the whole house's."""

    PACE = "pace"  # each consumer of the group: `value` messages a second
    LIFT = "lift"  # the group's caps do not hold
    FREEZE = "freeze"  # the consumer process `pid` on `host` stands still
    DATABASE = "database"  # `value` messages a second, for all consumers' transactions together
    BANK = "bank"  # the demo bank answers after `value` seconds
    SMS = "sms"  # the demo phone refuses this share of SMS, `value` of 1

    @property
    def of_a_group(self) -> bool:
        return self in (Kind.PACE, Kind.LIFT, Kind.FREEZE)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """id: tells this one from the next of its kind. group: '' for the whole house. by: who wanted it."""

    kind: Kind
    group: str = ""
    value: float = 0.0
    by: str = ""
    host: str = ""
    pid: int = 0
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(6))

    def __post_init__(self) -> None:
        if self.kind in (Kind.PACE, Kind.DATABASE) and not self.value > 0:
            raise ValueError(f"{self.value} messages a second would be none for ever")
        if self.kind.of_a_group != bool(self.group):
            raise ValueError(f"a fault {self.kind.value!r} is {'a' if self.kind.of_a_group else 'no'} group's")


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that acts now. left_s: by Redis's clock. did: what it has done so far, counted by whom it hit."""

    fault: Fault
    left_s: float
    did: dict[str, int]


def encoded(fault: Fault) -> bytes:
    return msgspec.json.encode(fault)


def decoded(text: bytes | None) -> Fault | None:
    """None: there is none, or somebody wrote something else there."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Fault)
    except msgspec.DecodeError:
        return None
