"""What the room says of a sale, in cells that the page is made with and that its script renews."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from config.room.books import Books
from config.room.patience import PATIENCE_S
from config.room.watching import Sight, watch
from inventory.gate_types import GateState
from inventory.room import Line
from queueing.console.levels import Level
from queueing.console.present import Cell, Tile
from queueing.console.words import UNKNOWN

STATES = {
    "upcoming": "Not open yet",
    "open": "Open",
    "paused": "Paused",
    "sold_out": "Sold out",
    "ended": "Over",
}
PLACES = [
    ("remaining", "Remaining", "in the gate, to be bought"),
    ("in_flight", "In flight", "admitted, on the way to a row"),
    ("sold", "Sold", "of orders that live"),
    ("coming_back", "Coming back", "of orders that ended"),
    ("coming_in", "Coming in", "added, not at the gate yet"),
]


class Live(msgspec.Struct, frozen=True):
    cells: dict[str, Cell]
    banner: str


def tiles(sight: Sight) -> list[Tile]:
    gate = sight.look.gate if sight.look else None
    return [
        Tile(label="State at the gate", cell=_state(sight, gate)),
        Tile(label="Changes", cell=_changes(sight, gate)),
        Tile(label="Waiting room", cell=_line(sight, gate, sight.line)),
    ]


def places(sight: Sight) -> list[Tile]:
    """Both sides of the equation: what was given, then each place in which it may be."""
    books = sight.look.books if sight.look else None
    given = Cell(key="given", text=UNKNOWN, level="unknown", note="at first, and added")
    if books is not None:
        note = f"{books.initial:,} at first + {books.added:,} added"
        given = Cell(key="given", text=_units(books.given), note=note)
    cells = [
        Cell(key=key, text=UNKNOWN if books is None else _units(getattr(books, key)), level=_known(books), note=note)
        for key, _, note in PLACES
    ]
    labels = [label for _, label, _ in PLACES]
    pairs = zip(["Given", *labels], [given, *cells], strict=True)
    return [Tile(label=label, cell=cell) for label, cell in pairs]


def verdict(sight: Sight) -> Cell:
    """Balanced, counted again, or wrong: a word, a sentence and a level."""
    look = sight.look
    if look is None or look.gate is None:
        return Cell(key="verdict", text="Nobody can tell right now.", level="unknown", word="unknown")
    if look.books is None:
        text = "This gate was opened before it kept count. Run manage.py audit."
        return Cell(key="verdict", text=text, level="unknown", word="not counted")
    if not look.books.difference:
        return Cell(key="verdict", text="Every unit is in exactly one place.", word="balanced")
    if sight.lasted_s < PATIENCE_S:
        text = "It differs at this moment. What moves while one looks may be seen twice, so it is counted again."
        return Cell(key="verdict", text=text, level="amber", word="counting")
    return Cell(key="verdict", text=_wrong(look.books), level="red", word="broken")


def live(sight: Sight) -> Live:
    told = [tile.cell for tile in (*tiles(sight), *places(sight))]
    return Live({cell.key: cell for cell in (*told, verdict(sight))}, banner(sight))


def banner(sight: Sight) -> str:
    return f"{sight.silent} The numbers below are not of now." if sight.silent else ""


@lru_cache(maxsize=256)
def teller(sale_id: int) -> Callable[[], bytes]:
    """The same function for the same sale, so that all who listen share it."""

    def tell() -> bytes:
        return msgspec.json.encode(live(watch(sale_id).sight()))

    return tell


def _state(sight: Sight, gate: GateState | None) -> Cell:
    if gate is None:
        note = "" if sight.silent else "opens when inventory has heard of the sale"
        return Cell(key="state", text="No gate", level="unknown", note=note)
    if not gate.is_open:
        return Cell(key="state", text="Closed", level="red", word="rebuilding", note="its data was lost")
    at = gate.starts_at_ms if gate.state == "upcoming" else gate.ends_at_ms
    when = datetime.fromtimestamp(at / 1000, UTC).strftime("%d %b %H:%M:%S UTC")
    edge = {"upcoming": f"opens {when}", "ended": f"ended {when}"}.get(gate.state, f"until {when}")
    if gate.state == "paused":
        return Cell(key="state", text=STATES["paused"], level="amber", word="nobody is admitted", note=edge)
    return Cell(key="state", text=STATES[gate.state], note=edge)


def _changes(sight: Sight, gate: GateState | None) -> Cell:
    """Told by the shop, and taken in by the gate or not yet."""
    if sight.sale is None or gate is None:
        return Cell(key="changes", text=UNKNOWN, level="unknown")
    told, has = sight.sale.revision, gate.revision
    coming = sight.untold + (max(0, sight.look.books.coming_in) if sight.look and sight.look.books else 0)
    units = f"; {_units(coming)} on their way" if coming else ""
    if has < told or coming:
        note = f"told: change {told}, at the gate: change {has}{units}"
        return Cell(key="changes", text="On the way", level="amber", word="not there yet", note=note)
    return Cell(key="changes", text="At the gate", note=f"change {told} is in force")


def _line(sight: Sight, gate: GateState | None, line: Line | None) -> Cell:
    if gate is None:
        return Cell(key="line", text=UNKNOWN, level="unknown")
    if line is None:
        return Cell(key="line", text="Off", note="whoever comes may order")
    here = f"{line.joined:,} joined, {min(line.serving, line.joined):,} served"
    if line.mode == "closed":
        return Cell(key="line", text="Closed", level="amber", word="nobody is let in", note=here)
    stands = gate.state == "paused"
    return Cell(
        key="line",
        text=f"{line.turns_per_s:,} turns/s",
        level="amber" if stands else "",
        word="stands still" if stands else "",
        note=f"{here}; {line.turn_s} s to order",
    )


def _wrong(books: Books) -> str:
    parts = [
        (books.missing > 0, f"{_units(books.missing)} missing"),
        (books.missing < 0, f"{_units(-books.missing)} too many"),
        (books.unfound > 0, f"{_orders(books.unfound)} worked off or thrown away without a row"),
        (books.unasked > 0, f"{_orders(books.unasked)} in the database that the gate never admitted"),
        (books.overdone > 0, f"{_units(books.overdone)} came to the gate of no order that ended and no addition"),
    ]
    return f"{'; '.join(text for true, text in parts if true)}. Run manage.py audit."


def _units(number: int) -> str:
    return f"{number:,} unit{'' if number == 1 else 's'}"


def _orders(number: int) -> str:
    return f"{number:,} order{'' if number == 1 else 's'}"


def _known(books: Books | None) -> Level:
    return "unknown" if books is None else ""
