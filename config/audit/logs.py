"""Rows for the temporary tables from fences and streams."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
import redis

from config.audit.fence import Fence, Offset, offset, text
from inventory import keys as gate_keys
from queueing import keys

CHUNK = 5_000
Row = tuple[Any, ...]
_SALES, _PLACED = "sales.events", gate_keys.TOPIC


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """An OrderPlaced body, as raw as it can be read. Not the event class: the audit trusts no code it checks."""

    order_id: str
    sale_id: int
    user_id: int
    idempotency_key: str
    quantity: int
    price_cents: int
    seq: int
    epoch: int
    placed_at_ms: int


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    sale_id: int
    starts_at_ms: int
    ends_at_ms: int
    per_user_limit: int
    price_cents: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A message outside the log."""

    name: str
    body: str
    key: str = ""


class Leaving(msgspec.Struct, frozen=True):
    """A message on its way to the partition that its key moved to."""

    envelope: str


def tables(client: redis.Redis, fences: Iterable[Fence]) -> dict[str, Iterable[Row]]:
    """Table name → rows, for everything that comes from Redis."""
    found: dict[str, list[Row]] = {
        name: []
        for name in ("partitions", "later", "groups", "pending", "held", "heads", "marks", "envelopes", "gates",
                     "buyers", "applied", "entries", "misplaced", "placed", "announced", "answers")
    }  # fmt: skip
    for fence in fences:
        where = (fence.topic, fence.partition)
        counted = [
            int(fence.counters.get(name) or 0)
            for name in ("appended", "trimmed", "scheduled", "promoted", "cancelled", "moved")
        ]
        found["partitions"].append((*where, *counted, fence.ever_added, fence.length, fence.last_deleted))
        found["later"] += [(*where, message_id, "later") for message_id in fence.later]
        found["later"] += [(*where, message_id, "drafts") for message_id in fence.drafts]
        found["later"] += [(*where, message_id, "leaving") for message_id in fence.leaving]
        _groups(fence, found)
        _gate(client, fence, found)
        states = _States(fence)
        first = int(client.hget(keys.layout(fence.topic), "first") or 0)  # 0: its partitions are its keys
        first_of_this = len(found["placed"])
        for ms, n, fields in _entries(client, keys.log(*where)):
            message_id = text(fields.get(b"id", b"")) or f"{ms}-{n}"
            name, key = text(fields.get(b"n", b"")), text(fields.get(b"k", b""))
            fenced = (ms, n) <= fence.last
            due_ms = _whole(text(fields[b"d"])) if b"d" in fields else None
            found["entries"].append((*where, position((ms, n)), fenced, message_id, name, key, due_ms))
            if first and (belongs := _belongs(fence, first, key, (ms, n))) != fence.partition:
                found["misplaced"].append((*where, position((ms, n)), key, belongs))
            if fence.topic == _PLACED:
                state = states.of((ms, n), message_id)
                found["placed"] += _placed(fields.get(b"b", b""), ms, message_id, state)
            elif fence.topic == _SALES and name == "shop.SaleScheduled":
                found["announced"] += _announced(fields.get(b"b", b""))
        found["placed"] += list(states.outside_the_log({row[10] for row in found["placed"][first_of_this:]}))
    return dict(found)


class _States:
    """Where an admission was at its fence, as the group that writes order rows saw it."""

    def __init__(self, fence: Fence) -> None:
        self.fence = fence
        self.group = next((g for g in fence.groups if g.name == gate_keys.GATE_GROUP), None)
        self.pending = set(self.group.pending) if self.group else set()
        self.held = {}
        self.purged = set(self.group.purged) if self.group else set()
        if self.group:
            self.held = dict.fromkeys([*self.group.retry, *self.group.holders], "retry")
            self.held |= dict.fromkeys(self.group.parked, "parked") | dict.fromkeys(self.group.dead, "dead")

    def of(self, where: Offset, message_id: str) -> str:
        if where > self.fence.last:
            return "later"
        if message_id in self.held:
            return self.held[message_id]
        if self.group is None or where > self.group.last:
            return "undelivered"
        if where in self.pending:
            return "pending"
        return "purged" if message_id in self.purged else "acked"

    def outside_the_log(self, seen: set[str]) -> Iterator[Row]:
        """Admissions whose entry is trimmed: the group's own retry set and dead letters still hold them."""
        if self.fence.topic != _PLACED or self.group is None:
            return
        for envelopes in (self.group.waiting, self.group.graves):
            for message_id, body in envelopes.items():
                if message_id in self.held and message_id not in seen and (parsed := _envelope(body)):
                    yield from _placed(parsed.body.encode(), None, message_id, self.held[message_id])


def _groups(fence: Fence, found: dict[str, list[Row]]) -> None:
    for group in fence.groups:
        where = (fence.topic, fence.partition, group.name)
        numbers = [int(group.counters.get(name) or 0) for name in ("skipped", "acked", "done", "purged", "moved")]
        start = position(offset(group.counters.get("from", "0-0")))
        found["groups"].append((*where, position(group.last), *numbers, start))
        found["pending"] += [(*where, position(entry)) for entry in group.pending]
        found["heads"] += [(*where, key, message_id) for key, message_id in group.heads.items()]
        for set_ in ("retry", "holders", "parked", "dead", "leaving"):
            ids: Iterable[str] = getattr(group, set_)
            found["held"] += [(*where, message_id, set_) for message_id in ids]
        found["marks"] += [(*where, message_id, "quarantined") for message_id in group.quarantined]
        found["marks"] += [(*where, message_id, "purged") for message_id in group.purged]
        leaving = {message_id: _leaving(record) for message_id, record in group.leaving.items()}
        for set_, envelopes in (("waiting", group.waiting), ("graves", group.graves), ("leaving", leaving)):
            for message_id, body in envelopes.items():
                if message_id.endswith((":n", ":s")):  # how often it was begun, its place among the parked
                    continue
                parsed = _envelope(body)
                name, order = (parsed.name, _order_id(parsed.body)) if parsed else (None, None)
                found["envelopes"].append((*where, message_id, set_, parsed and parsed.key, name, order))


def _gate(client: redis.Redis, fence: Fence, found: dict[str, list[Row]]) -> None:
    if not fence.gate:
        return
    sale_id = int(fence.partition)
    names = ("stock", "price_cents", "starts_at_ms", "ends_at_ms", "per_user_limit", "epoch", "seq",
             "units", "returned")  # fmt: skip
    gate = (_whole(fence.gate.get(name)) for name in names)
    found["gates"].append((sale_id, *gate, fence.gate.get("open") == "1"))
    found["buyers"] += [(sale_id, int(user), int(units)) for user, units in fence.buyers.items()]
    found["applied"] += [(sale_id, int(ledger_id)) for ledger_id in fence.applied]
    for field, body in client.hscan_iter(gate_keys.answers(sale_id), count=1000):
        user, _, key = text(field).partition(":")
        answer = _decode(body, Admission)
        if answer is None:
            found["answers"].append((sale_id, int(user), key, "unreadable", 0, 0, 0, True))
            continue
        counted = (_whole(fence.gate.get("epoch")) or 0, _whole(fence.gate.get("seq")) or 0)
        fenced = (answer.epoch, answer.seq) <= counted  # a rebuilt gate counts anew
        found["answers"].append(
            (sale_id, int(user), key, answer.order_id, answer.quantity, answer.price_cents, answer.placed_at_ms, fenced)
        )


def _entries(client: redis.Redis, log: str) -> Iterator[tuple[int, int, dict[bytes, bytes]]]:
    start = "-"
    while True:
        chunk: Any = client.xrange(log, min=start, count=CHUNK)
        for entry_id, fields in chunk:
            yield (*offset(entry_id), fields)
        if len(chunk) < CHUNK:
            return
        start = "(" + text(chunk[-1][0])


def position(where: Offset) -> int:
    """An offset as one number that sorts alike. A million entries in one millisecond would collide; none can come."""
    return where[0] * 1_000_000 + where[1]


def _placed(body: bytes, entry_ms: int | None, message_id: str, state: str) -> Iterator[Row]:
    """One row, or none when the entry is no admission (the queue's accounting sees it all the same)."""
    if a := _decode(body, Admission):
        yield (
            a.order_id, a.sale_id, a.user_id, a.idempotency_key, a.quantity, a.price_cents, a.seq, a.epoch,
            a.placed_at_ms, entry_ms, message_id, state,
        )  # fmt: skip


def _announced(body: bytes) -> Iterator[Row]:
    if a := _decode(body, Announcement):
        yield (a.sale_id, a.starts_at_ms, a.ends_at_ms, a.per_user_limit, a.price_cents)


def _belongs(fence: Fence, first: int, key: str, entry: Offset) -> str:
    """The partition of a key when this entry was appended: partitions split in two, at an offset each noted."""
    generation = (int(fence.partition) // first).bit_length()  # the one it was made in
    for name, last in fence.counters.items():
        if name.startswith("switch:") and entry > offset(last):
            generation = max(generation, int(name.removeprefix("switch:")))
    return str(zlib.crc32(key.encode()) % (first << generation))


def _leaving(record: str) -> str:
    """The envelope in what is written down of a message that moves."""
    found = _decode(record, Leaving)
    return found.envelope if found else ""


def _envelope(body: str) -> Envelope | None:
    return _decode(body, Envelope)


T = TypeVar("T")


def _decode(body: bytes | str, cls: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=cls)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


_ORDER = re.compile(r'"order_id":\s*"([^"]+)"')


def _order_id(body: str) -> str | None:
    found = _ORDER.search(body)
    return found[1] if found else None


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and value.lstrip("-").isdigit() else None
