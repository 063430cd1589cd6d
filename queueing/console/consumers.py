"""Who works: each group's consumers as the page and the terminal show them, and how many the autoscaler wants."""

from __future__ import annotations

import msgspec

from queueing.console import words
from queueing.console.plain import visible
from queueing.console.snapshot import Consumer, Group, Snapshot

COLUMNS = ("Process", "Partitions", "Rate, 10 s", "Last beat", "Memory", "In flight", "Handled")
NAMED = 1  # partitions written out


class ConsumerRow(msgspec.Struct, frozen=True):
    """cells: under COLUMNS. What a consumer says of itself is of its last beat."""

    group: str
    name: str
    state: str
    cells: list[str]


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """The consumers of one group. number: alive, of so many wanted. reason: why so many, in the autoscaler's words.

    held: an operator's number and how long it holds, "" while the lag decides.
    """

    group: str
    number: str
    reason: str
    held: str
    paused: bool
    rows: list[ConsumerRow]


def crews(snapshot: Snapshot | None) -> list[Crew]:
    return [_crew(group, snapshot.taken_at_ms) for group in snapshot.groups] if snapshot else []


def consumers(snapshot: Snapshot | None) -> list[ConsumerRow]:
    return [row for crew in crews(snapshot) for row in crew.rows]


def number(group: Group) -> str:
    """2 of 4: so many are alive, of so many wanted; 2 where no autoscaler runs."""
    return f"{group.alive} of {group.wanted.desired}" if group.wanted else str(group.alive)


def _crew(group: Group, now_ms: int) -> Crew:
    wanted = group.wanted
    held = ""
    if wanted and wanted.held_until:
        left_s = max(0.0, wanted.held_until.timestamp() - now_ms / 1000)
        why = f": {visible(wanted.held_why)}" if wanted.held_why else ""
        held = f"held at {wanted.desired} for another {words.span(round(left_s))}{why}"
    return Crew(
        group=group.group,
        number=number(group),
        reason=visible(wanted.reason) if wanted and wanted.reason else "no autoscaler looks after it",
        held=held,
        paused=group.paused,
        rows=[
            ConsumerRow(
                group.group, visible(consumer.name), "alive" if consumer.alive else "silent", _cells(consumer, group)
            )
            for consumer in group.consumers
        ],
    )


def _cells(consumer: Consumer, group: Group) -> list[str]:
    about = consumer.about
    return [
        f"{about.pid} on {visible(about.host)}" if about else words.UNKNOWN,
        _partitions(consumer.partitions, group),
        words.per_second(about.per_s) if about else words.UNKNOWN,
        f"{words.span_ms(consumer.last_beat_ms)} ago",
        words.size(about.memory_bytes) if about else words.UNKNOWN,
        words.count(consumer.in_flight),
        words.count(about.handled) if about else words.UNKNOWN,
    ]


def _partitions(held: list[str], group: Group) -> str:
    """In ordered mode those leased to it; else it takes from any, and these are the ones it has messages of."""
    if not held:
        return "none" if group.ordered else "any"
    more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    return ", ".join(held[:NAMED]) + more
