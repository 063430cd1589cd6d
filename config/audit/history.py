"""What buyers were told: the load generator's file, one JSON object a line, written as it happened.

    {"at": 1763641421000, "op": "place", "outcome": "ok", "user": "ada", "sale_id": 3, "key": "…", "quantity": 1,
     "order_id": "…", "token": "…", "price_cents": 4900, "total_cents": 4900}

op        place: asked for units, one line per attempt (a retry has the same key) · pay: settled with the bank ·
          follow: the last status the buyer saw · fault: what was done to the system, and `code` says what:
          redis_data_lost declares that admissions without a row may be lost from then on
outcome   ok: it was answered yes · fail: it was answered no, and `code` says why · info: no answer, so nobody knows
at        milliseconds on the buyer's clock
user      the name the buyer logged in with; or user_id, where that is known

Whatever an operation does not know is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from config.audit.errors import UnreadableHistory


class Line(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    op: str
    outcome: str
    code: str | None = None
    user: str | None = None
    user_id: int | None = None
    sale_id: int | None = None
    key: str | None = None
    order_id: str | None = None
    token: str | None = None
    quantity: int | None = None
    price_cents: int | None = None
    total_cents: int | None = None
    status: str | None = None


# A token, read as raw as the rest: key id, order id, user, sale, epoch, seq, quantity, price, time, seal.
_TOKEN = re.compile(r"[^.]+\.[0-9a-f]{32}\.\d+\.\d+\.(\d+)\.\d+\.\d+\.\d+\.(\d+)\.[0-9a-f]+", re.ASCII)
_decoder = msgspec.json.Decoder(Line)


def read(path: Path, *, sale_id: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Rows for the table `told`; with a sale, only the lines about it.

    Raises:
        UnreadableHistory: the file is missing, or a line is not what this module describes.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UnreadableHistory(f"{path}: {error.strerror}") from error
    return _rows(path, lines, sale_id)


def _rows(path: Path, lines: Iterable[bytes], sale_id: int | None) -> Iterator[tuple[Any, ...]]:
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        try:
            line = _decoder.decode(raw)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise UnreadableHistory(f"{path}, line {number}: {error}") from error
        if line.outcome not in {"ok", "fail", "info"}:
            raise UnreadableHistory(f"{path}, line {number}: outcome {line.outcome!r} is not ok, fail or info")
        if sale_id is not None and line.sale_id != sale_id and line.op != "fault":
            continue
        yield (
            number, line.at, line.op, line.outcome, line.code, line.user_id, line.sale_id, line.key, line.order_id,
            line.token, line.quantity, line.price_cents, line.total_cents, line.status, line.user,
            *_admission(line.token),
        )  # fmt: skip


def _admission(token: str | None) -> tuple[int | None, int | None]:
    """The epoch of a token's admission and when it was."""
    found = _TOKEN.fullmatch(token or "")
    return (int(found[1]), int(found[2])) if found else (None, None)
