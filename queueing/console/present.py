"""A reading as the page shows it: cells of a key, a text and a level. A template writes them, a script renews them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from queueing.console import scaling, words
from queueing.console.consumers import crews, number
from queueing.console.levels import Level, level
from queueing.console.rates import ALL, Rate, slowest, totals
from queueing.console.reading import Reading
from queueing.console.snapshot import Counts, Group, Outbox, TopicCounts


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    text: str
    level: Level = ""
    word: str = ""
    note: str = ""


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    cell: Cell
    link: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A group, or one topic of a group that reads several."""

    name: str
    inner: bool
    of: Cell  # its topic, or what a topic is cut into
    cells: list[Cell]


COLUMNS = [
    "Lag",
    "Oldest",
    "In flight",
    "Delayed",
    "Later",
    "Parked",
    "Dead",
    "Produced",
    "Consumed",
    "Appended",
    "Acked",
    "Consumers, last beat",
]


def tiles(reading: Reading) -> list[Tile]:
    total = reading.snapshot.total if reading.snapshot else None
    rate = reading.rates.get(ALL)
    over = f"over the last {words.span(rate.over_s)}" if rate else "needs a second sample"
    return [
        _tile("Lag", "lag", total and total.lag, words.count, "messages nobody has acknowledged"),
        _tile("Oldest waiting", "oldest_age_ms", total and total.oldest_age_ms, words.span_ms, "since it was appended"),
        _tile("In flight", "in_flight", total and total.in_flight, words.count, "in a consumer's hands"),
        _tile("Produced", "produced", rate and rate.produced, words.per_second, over),
        _tile("Consumed", "consumed", rate and rate.consumed, words.per_second, over),
        Tile(label="Consumers", cell=_consumers(reading)),
        Tile(label="Time to drain", cell=_drain(reading, over)),
        _tile("Parked", "parked", total and total.parked, words.count, "behind a message of their key that failed"),
        _tile("Dead letters", "dead", total and total.dead, words.count, _dead_note(total), link="dead"),
        Tile(label="Age of this sample", cell=_age(reading)),
    ]


def _drain(reading: Reading, over: str) -> Cell:
    """Of the group that needs longest."""
    if not reading.snapshot or ALL not in reading.rates:
        return _cell("drain", "drain_s", words.UNKNOWN, None, note=over)
    group, seconds = slowest(reading.snapshot, reading.rates)
    if seconds is None:
        return Cell(key="drain", text="never", level="red", word="nothing is consumed", note=f"by {group}")
    note = f"{group}, if nothing more came" if group else over
    return _cell("drain", "drain_s", words.span(seconds), seconds, note=note)


def _consumers(reading: Reading) -> Cell:
    """Alive, of as many as are wanted."""
    groups = reading.snapshot.groups if reading.snapshot else []
    alive, supervised = sum(group.alive for group in groups), [group for group in groups if group.wanted]
    if not groups:
        return Cell(key="consumers", text=words.UNKNOWN, level="unknown", note="of all groups")
    if not supervised:
        colour, word = level("nobody", float(not alive))
        return Cell(key="consumers", text=str(alive), level=colour, word=word, note="alive; no autoscaler runs")
    wanted = sum(group.wanted.desired if group.wanted else group.alive for group in groups)
    held = [group.group for group in supervised if group.wanted and group.wanted.held_until]
    note = f"held by hand: {', '.join(held)}" if held else "alive, of as many as the lag asks for"
    colour, word = level("missing", max(0, wanted - alive))
    return Cell(key="consumers", text=f"{alive} of {wanted}", level=colour, word=word, note=note)


def _dead_note(total: Counts | None) -> str:
    if total and total.quarantined:
        return f"waiting for an operator; {words.count(total.quarantined)} quarantined"
    return "waiting for an operator"


def _tile(label: str, name: str, value: Any, text: Any, note: str, *, link: str = "") -> Tile:
    return Tile(label=label, cell=_cell(name, name, text(value), value, note=note), link=link)


def _cell(key: str, name: str, text: str, value: float | None, *, note: str = "") -> Cell:
    """name: whose limits apply."""
    colour, word = level(name, value)
    return Cell(key=key, text=text, level=colour, word=word, note=note)


def _age(reading: Reading) -> Cell:
    if reading.snapshot is None:
        return Cell(key="age", text=words.UNKNOWN, level="unknown", note="no sample yet")
    taken = datetime.fromtimestamp(reading.snapshot.taken_at_ms / 1000, UTC)
    note = f"taken {taken:%H:%M:%S} UTC, by Redis's clock"
    return Cell(key="age", text=words.span(reading.age_s), level="red" if reading.stale else "", note=note)


def rows(reading: Reading) -> list[Row]:
    found = []
    for group in reading.snapshot.groups if reading.snapshot else []:
        alone = len(group.topics) == 1
        of = _partitions(group.topics[0], named=True) if alone else f"{len(group.topics)} topics"
        cells = [*_cells(group.group, group, reading), _alive(group)]
        found.append(Row(name=group.group, inner=False, of=Cell(key=f"{group.group}.of", text=of), cells=cells))
        for topic in [] if alone else group.topics:
            name = f"{group.group}/{topic.topic}"
            of_topic = Cell(key=f"{name}.of", text=_partitions(topic))
            found.append(Row(name=topic.topic, inner=True, of=of_topic, cells=list(_cells(name, topic, reading))))
    return found


def _partitions(topic: TopicCounts, *, named: bool = False) -> str:
    number = f"{topic.partitions} partition{'' if topic.partitions == 1 else 's'}"
    return f"{topic.topic}, {number}" if named else number


def _cells(name: str, counts: Counts, reading: Reading) -> Iterator[Cell]:
    rate: Rate | None = reading.rates.get(name)
    for field, text in (
        ("lag", words.count),
        ("oldest_age_ms", words.span_ms),
        ("in_flight", words.count),
        ("delayed", words.count),
        ("later", words.count),
        ("parked", words.count),
        ("dead", words.count),
    ):
        value = getattr(counts, field)
        yield _cell(f"{name}.{field}", field, text(value), value)
    yield Cell(key=f"{name}.produced", text=words.per_second(rate.produced if rate else None))
    yield Cell(key=f"{name}.consumed", text=words.per_second(rate.consumed if rate else None))
    yield Cell(key=f"{name}.appended", text=words.count(counts.appended))
    yield Cell(key=f"{name}.acked", text=words.count(counts.acked))


def _alive(group: Group) -> Cell:
    if group.paused:
        return Cell(key=f"{group.group}.alive", text=f"{number(group)}, paused", level="amber")
    if not group.alive:
        return Cell(key=f"{group.group}.alive", text="none", level="red")
    newest = min(consumer.last_beat_ms for consumer in group.consumers)
    return Cell(key=f"{group.group}.alive", text=f"{number(group)}, {words.span_ms(newest)} ago")


def outbox(reading: Reading) -> list[Tile]:
    box: Outbox | None = reading.snapshot.outbox if reading.snapshot else None
    beat = box.relay_beat_ms if box else None
    found = [
        _tile("Outbox", "outbox", box and box.waiting, words.count, "rows committed and not told yet"),
        _tile("Oldest row", "oldest_age_ms", box and box.oldest_age_ms, words.span_ms, "since it was written"),
        _tile("Relay", "beat_ms", beat, words.span_ms, "since its last beat" if beat is not None else "never beat"),
    ]
    replace = msgspec.structs.replace
    return [replace(tile, cell=replace(tile.cell, key=f"outbox.{tile.cell.key}")) for tile in found]


def banner(reading: Reading) -> str:
    """One sentence when the numbers are not of now; empty when they are."""
    if reading.unknown_since is None:
        return ""
    since = f"{reading.unknown_since:%d %b %Y, %H:%M:%S} UTC"
    if reading.snapshot is None:
        return f"Redis does not answer. Nothing is known about the queue since {since}."
    return f"Redis does not answer. Nothing is known since {since}; the numbers below are from then."


def live(reading: Reading) -> dict[str, Any]:
    """What the page's script is told every second."""
    cells = [tile.cell for tile in (*tiles(reading), *outbox(reading))]
    cells += [cell for row in rows(reading) for cell in (row.of, *row.cells)]
    return {
        "stale": reading.stale,
        "banner": banner(reading),
        "age_s": round(reading.age_s, 2),
        "cells": {cell.key: cell for cell in cells},
        "crews": crews(reading.snapshot),
        "steps": scaling.latest(),
        "point": _point(reading),
    }


def _point(reading: Reading) -> dict[str, Any] | None:
    """One moment of the chart: group (and "all") → lag, produced/s, consumed/s."""
    if reading.snapshot is None or reading.unknown_since is not None:
        return None
    lines = {}
    for name, counts in totals(reading.snapshot).items():
        if "/" not in name:
            rate = reading.rates.get(name)
            lines[name] = [
                counts.lag,
                round(rate.produced, 1) if rate else None,
                round(rate.consumed, 1) if rate else None,
            ]
    return {"at_ms": reading.snapshot.taken_at_ms, "lines": lines}
