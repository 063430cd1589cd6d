"""The whole queue at one moment. Counts are messages, ages milliseconds; all JSON-ready."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from queueing.about import About
from queueing.autoscaler.asking import Wanted
from queueing.broker import GroupStats


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """A message counts once for each group that has to handle it: lag, rates and time to drain then fit together."""

    appended: int = 0  # since the log began, less what a group skipped when it started
    acked: int = 0
    retried: int = 0  # ever: failed, and set aside to come again
    buried: int = 0  # ever
    lag: int = 0
    in_flight: int = 0
    delayed: int = 0  # failed or came early, and come again to this group
    later: int = 0  # published for later: in no log yet, and no lag
    parked: int = 0  # in ordered mode: they wait behind a message of their key that failed
    dead: int = 0
    quarantined: int = 0  # of the dead: replayed as often as they may be
    purged: int = 0  # dead letters that an operator had forgotten
    oldest_age_ms: int = 0  # of the oldest entry nobody acknowledged


class TopicCounts(Counts, frozen=True, kw_only=True):
    topic: str
    partitions: int
    kept: int = 0  # entries in its logs; a new group would read these
    trimmed: int = 0  # entries dropped by its retention
    produced: int = 0  # ever, whoever hears it


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    last_beat_ms: int  # ago
    alive: bool  # beat within its group's lease
    in_flight: int = 0  # in its hands
    about: About | None = None  # as of its last beat; None: one that never said
    partitions: list[str] = []  # "topic/partition": leased to it in ordered mode, else those it has messages of


class Group(Counts, frozen=True, kw_only=True):
    group: str
    topics: list[TopicCounts]
    consumers: list[Consumer]
    paused: bool = False
    caps: dict[str, float | None] = {}  # topic ("": those not named) → messages/s, as declared or set; None: no cap
    ordered: bool = False
    wanted: Wanted | None = None  # None: no autoscaler says anything

    @property
    def alive(self) -> int:
        return sum(consumer.alive for consumer in self.consumers)


class Outbox(msgspec.Struct, frozen=True, kw_only=True):
    """Events committed and not told yet."""

    waiting: int
    oldest_age_ms: int
    relay_beat_ms: int | None  # ago; None: no relay ever ran


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    taken_at_ms: int  # since 1970, on Redis's clock
    total: Counts
    groups: list[Group]
    outbox: Outbox | None  # None: PostgreSQL did not answer


def added_up(rows: Iterable[GroupStats]) -> dict[str, Any]:
    """The fields of a Counts."""
    rows = list(rows)
    return {
        "appended": sum(row.appended - row.skipped for row in rows),
        "acked": sum(row.acked for row in rows),
        "retried": sum(row.retried for row in rows),
        "buried": sum(row.buried for row in rows),
        "lag": sum(row.lag for row in rows),
        "in_flight": sum(row.in_flight for row in rows),
        "delayed": sum(row.delayed for row in rows),
        "later": sum(row.later for row in rows),
        "parked": sum(row.parked for row in rows),
        "dead": sum(row.dead for row in rows),
        "quarantined": sum(row.quarantined for row in rows),
        "purged": sum(row.purged for row in rows),
        "oldest_age_ms": max((row.oldest_age_ms for row in rows), default=0),
    }
