"""Who works: each consumer as the page and the terminal show it."""

from __future__ import annotations

import msgspec

from queueing.console import words
from queueing.console.plain import visible
from queueing.console.snapshot import Consumer, Snapshot

COLUMNS = ("Last beat", "In flight", "Handled", "Rate, 10 s", "Memory", "Process")


class ConsumerRow(msgspec.Struct, frozen=True):
    """cells: under COLUMNS. What a consumer says of itself is of its last beat."""

    group: str
    name: str
    state: str
    cells: list[str]


def consumers(snapshot: Snapshot | None) -> list[ConsumerRow]:
    return [
        ConsumerRow(group.group, visible(consumer.name), "alive" if consumer.alive else "silent", _cells(consumer))
        for group in (snapshot.groups if snapshot else [])
        for consumer in group.consumers
    ]


def _cells(consumer: Consumer) -> list[str]:
    about = consumer.about
    of_itself = (
        (words.count(about.handled), words.per_second(about.per_s), words.size(about.memory_bytes))
        if about
        else (words.UNKNOWN,) * 3
    )
    process = f"{about.pid} on {visible(about.host)}" if about else words.UNKNOWN
    return [f"{words.span_ms(consumer.last_beat_ms)} ago", words.count(consumer.in_flight), *of_itself, process]
