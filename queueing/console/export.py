"""Dead letters as CSV, a chunk at a time, so that any number can be taken away; harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from queueing.console.letters import DeadLetter
from queueing.console.plain import visible
from queueing.dead import Buried

# A spreadsheet runs what begins with one of these (CWE-1236). The full-width forms are folded to them by some.
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
LONGEST_CELL = 32_000  # a spreadsheet's limit is 32,767
AT_ONCE = 200
COLUMNS = (
    *("group", "event", "key", "id", "topic", "partition", "offset", "attempts", "replays", "quarantined"),
    *("produced_at", "first_failed_at", "last_failed_at", "buried_at", "reason", "payload", "traceback"),
)


def harmless(cell: str) -> str:
    """Text, whatever program opens it: an apostrophe in front of what would be a formula."""
    cell = cell if len(cell) <= LONGEST_CELL else f"{cell[:LONGEST_CELL]}… cut"
    return f"'{cell}" if cell.startswith(BEGINS_A_FORMULA) else cell


def chunks(letters: Iterable[Buried]) -> Iterator[tuple[bytes, int]]:
    """UTF-8 with its mark, which spreadsheets want, and how many letters it has; the head first."""
    yield "\ufeff".encode() + _lines([COLUMNS]), 0
    batch: list[list[str]] = []
    for buried in letters:
        batch.append(_row(DeadLetter.of(buried)))
        if len(batch) == AT_ONCE:
            yield _lines(batch), len(batch)
            batch = []
    if batch:
        yield _lines(batch), len(batch)


def _row(letter: DeadLetter) -> list[str]:
    parked = letter.parked
    times = (letter.produced_at, letter.first_failed_at, letter.last_failed_at, letter.buried_at)
    cells = (
        *(letter.group, letter.event, letter.key, letter.id),
        *map(visible, (parked.topic, parked.partition, parked.offset, str(parked.attempts), str(parked.replays))),
        "yes" if parked.quarantined else "no",
        *(time.isoformat(timespec="milliseconds") for time in times),
        *(letter.reason, letter.compact, letter.traceback),
    )
    return [harmless(cell) for cell in cells]


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()
