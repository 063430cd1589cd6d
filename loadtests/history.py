"""What buyers were told, one JSON line per operation, written the moment it is known.

The format is described where it is read, in config/audit/history.py; `ms` (how long the buyer waited) is ours alone.
A line is written by one call, so a generator that is killed leaves whole lines behind.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class History:
    """An append-only file. Outcomes: ok (answered yes), fail (answered no, `code` says why), info (nobody knows)."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, op: str, outcome: str, **facts: Any) -> None:
        line = {"at": time.time_ns() // 1_000_000, "op": op, "outcome": outcome}
        line |= {name: value for name, value in facts.items() if value is not None}
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def write_all(self, lines: Iterable[dict[str, Any]]) -> None:
        """Lines that are complete already."""
        encoded = (
            json.dumps({name: value for name, value in line.items() if value is not None}, separators=(",", ":"))
            for line in lines
        )
        with os.fdopen(os.dup(self._file), "wb") as file:
            file.writelines(line.encode() + b"\n" for line in encoded)


def read(path: Path) -> list[dict[str, Any]]:
    """Every line; none when no shopper came as far as writing one."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
