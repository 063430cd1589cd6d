"""Lua scripts as files. `load` reads one and resolves its includes; the text is constant, so EVALSHA always hits."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent
_INCLUDE = re.compile(r"^--!include (\S+)$", re.MULTILINE)


def load(script: str | Path) -> str:
    """The text of `queueing/brokers/lua/<script>.lua`, or of a script elsewhere given by its path.

    A line `--!include append.lua` is replaced by the file of that name beside the script, or else of this folder.
    """
    path = script if isinstance(script, Path) else _HERE / f"{script}.lua"

    def included(match: re.Match[str]) -> str:
        beside = path.parent / match[1]
        return (beside if beside.exists() else _HERE / match[1]).read_text()

    return _INCLUDE.sub(included, path.read_text())
