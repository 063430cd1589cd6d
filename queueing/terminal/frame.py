"""One frame of `manage.py top`. It fits 80 columns, and no state is told by colour alone."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from queueing.console import present, words
from queueing.console.levels import Level, level
from queueing.console.plain import visible
from queueing.console.present import Cell, Row, Tile
from queueing.console.reading import Reading
from queueing.console.scaling import Step
from queueing.terminal.sparkline import sparkline
from queueing.terminal.view import LAST_S, View

STYLES: dict[Level, str] = {"": "", "amber": "yellow", "red": "bold red", "unknown": "dim"}
MARKS: dict[Level, str] = {"": "", "amber": "!", "red": "!!", "unknown": ""}
LEGEND = "! high or late   !! very high or very late, or nobody there"
TILE_WIDTH = 37  # at least: two beside each other in 80 columns
# What a group's row shows: the end of a cell's key, and its heading.
COLUMNS = (
    ("group", "GROUP"),
    ("lag", "LAG"),
    ("oldest_age_ms", "OLDEST"),
    ("in_flight", "IN\nFLIGHT"),
    ("produced", "PRO-\nDUCED"),
    ("consumed", "CON-\nSUMED"),
    ("dead", "DEAD"),
    ("alive", "CON-\nSUMERS"),
    ("drain", "TIME TO\nDRAIN"),
)
# Where there is no room, in this order: a number that is cut is a wrong one.
DROPPED = ("IN\nFLIGHT", "PRO-\nDUCED", "CON-\nSUMED", "OLDEST")
GAP = 2


class Frame:
    """A renderable: it is laid out anew for whatever size the terminal has by then."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        reading = self.view.reading
        yield _head(reading)
        if banner := present.banner(reading):
            yield Text(banner, style="bold red")
        yield _tiles([*present.tiles(reading), *present.outbox(reading)], options.max_width)
        yield Text()
        yield _lag(self.view.lag, options.max_width)
        yield Text()
        yield _groups(reading, options.max_width)
        yield Text(LEGEND, style="dim")
        yield from _scaling(self.view.steps)


def _head(reading: Reading) -> Text:
    head = Text("Sluice, the queue", style="bold")
    if reading.snapshot is not None:
        head.append(f"   sample {words.span(reading.age_s)} old", style="red" if reading.stale else "dim")
    if reading.stale:
        head.append("   not of now", style="bold red")
    return head


def _tiles(tiles: Iterable[Tile], width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=False)
    across = max(1, width // (TILE_WIDTH + 1))
    for _ in range(across):
        grid.add_column(width=width // across - 1, no_wrap=True, overflow="ellipsis")
    shown = [_tile(tile) for tile in tiles if tile.cell.key != "age"]  # the head says it
    for start in range(0, len(shown), across):
        grid.add_row(*shown[start : start + across])
    return grid


def _tile(tile: Tile) -> Text:
    text = Text().append(f"{tile.label}  ", style="dim")
    text.append_text(_text(tile.cell, style="bold"))
    if tile.cell.word:
        text.append(f" {tile.cell.word}", style=STYLES[tile.cell.level])
    return text


def _text(cell: Cell, *, style: str = "") -> Text:
    return Text(visible(cell.text), style=STYLES[cell.level] or style)


def _lag(lag: list[int], width: int) -> RenderableType:
    if not lag:
        return Text("Lag: not known", style="dim")
    said = f"  now {words.count(lag[-1])}, most {words.count(max(lag))}"
    head = f"Lag, last {min(LAST_S, len(lag))} s  "
    line = Text().append(head, style="dim")
    line.append(sparkline(lag, width - len(head) - len(said)), style=STYLES[level("lag", lag[-1])[0]] or "cyan")
    return line.append(said)


def _scaling(steps: list[Step]) -> Iterable[Text]:
    if steps:
        yield Text("\nAutoscaler, the latest first", style="dim")
    for step in steps:
        line = Text(f"{step.when}  ", no_wrap=True, overflow="ellipsis")
        line.append(f"{visible(step.group)} {step.text}: ", style="bold")
        yield line.append(step.reason.replace("\n", " "))


def _groups(reading: Reading, width: int) -> RenderableType:
    rows = [row for row in present.rows(reading) if not row.inner]
    columns = {heading: [_cell_of(row, name, reading) for row in rows] for name, heading in COLUMNS}
    for heading in DROPPED:
        if sum(_width(heading, cells) + GAP for heading, cells in columns.items()) - GAP > width:
            del columns[heading]
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "GROUP" else "right", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def _width(heading: str, cells: Iterable[Text]) -> int:
    return max(max(map(len, heading.split("\n"))), max(map(len, cells), default=0))


def _cell_of(row: Row, name: str, reading: Reading) -> Text:
    if name == "group":
        return Text(visible(row.name), style="bold")
    if name == "drain":
        return _marked(_drain(row, reading))
    return _marked(_brief(next(cell for cell in row.cells if cell.key == f"{row.name}.{name}")))


def _brief(cell: Cell) -> Cell:
    """A count of consumers without the time of their last beat: there is no room for it."""
    number, comma, rest = cell.text.partition(", ")
    return Cell(key=cell.key, text=number, level=cell.level) if comma and rest.endswith("ago") else cell


def _marked(cell: Cell) -> Text:
    text = _text(cell)
    return text.append(MARKS[cell.level], style=STYLES[cell.level])


def _drain(row: Row, reading: Reading) -> Cell:
    rate = reading.rates.get(row.name)
    lag = (
        next((group.lag for group in reading.snapshot.groups if group.group == row.name), 0) if reading.snapshot else 0
    )
    seconds = rate.drain_s(lag) if rate else None
    if rate and seconds is None:
        return Cell(key="drain", text="never", level="red")
    return Cell(key="drain", text=words.span(seconds), level=level("drain_s", seconds)[0])
