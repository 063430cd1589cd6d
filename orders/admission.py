"""Where orders asks inventory's gate: the one place in the house where two apps meet inside a request."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import msgspec
from django.conf import settings

from inventory import gate, rates, room
from inventory.gate import Decision, GateUnavailable
from orders.errors import Refused
from orders.tokens import Receipt

MOST_UNITS = gate.MOST_UNITS
Line: TypeAlias = room.Line
Place: TypeAlias = room.Joined

_receipt_in = msgspec.json.Decoder(Receipt).decode  # the fields of orders.OrderPlaced that a receipt has


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The gate's yes. `place` is 1 for the order that is worked off next, 0 when it is done."""

    receipt: Receipt
    place: int


class NoGate(Exception):
    """The sale has no gate, or one that admits nobody any more; PostgreSQL may still know the order."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code  # missing | closed | ended


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the queue of a sale has come, in which life of the gate."""

    epoch: int
    seq: int
    worked_off: int

    def place_of(self, receipt: Receipt) -> int:
        return max(0, receipt.seq - self.worked_off)


def is_well_formed(idempotency_key: str) -> bool:
    """8 to 100 characters that need no escaping in a URL, a header or a Redis field."""
    return gate.IDEMPOTENCY_KEY.fullmatch(idempotency_key) is not None


def is_sold_out(sale_id: int) -> bool:
    """Whether the gate said so a moment ago to somebody in this process. It says nothing about keys sent before."""
    return gate.is_sold_out(sale_id)


async def ask(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Admission:
    """Ask the gate for `quantity` units.

    Raises:
        Refused: no, and why.
        NoGate: there is nobody to ask.
    """
    try:
        decision = await gate.admit(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity, client=client
        )
    except GateUnavailable as error:
        raise Refused("unavailable") from error
    return _admission(decision)


def ask_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Admission:
    """As `ask`, for code without an event loop."""
    try:
        decision = gate.admit_sync(
            sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key, quantity=quantity, client=client
        )
    except GateUnavailable as error:
        raise Refused("unavailable") from error
    return _admission(decision)


def recall(*, sale_id: int, user_id: int, idempotency_key: str) -> Admission | None:
    """The yes of before, if there was one. Nothing is asked for."""
    try:
        body = gate.recall(sale_id=sale_id, user_id=user_id, idempotency_key=idempotency_key)
    except GateUnavailable as error:
        raise Refused("unavailable") from error
    if body is None:
        return None
    receipt, now = _receipt_in(body), standing(sale_id)
    return Admission(receipt, now.place_of(receipt) if now else 0)


def count_question(*, sale_id: int, user_id: int | None = None, client: str = "") -> None:
    """One more question before the order itself, for a puzzle or a pass: of this shopper, or from this address.

    Redis being away shuts nobody out here: without it there is no pass.

    Raises:
        Refused: too many.
    """
    bucket, (per_s, burst) = (
        (rates.of_address(sale_id, client), settings.RATE_PER_ADDRESS)
        if user_id is None
        else (rates.of_user(sale_id, user_id), settings.RATE_PER_USER)
    )
    with contextlib.suppress(GateUnavailable):
        if wait_ms := rates.wait_ms(bucket, per_s=per_s, burst=burst):
            raise Refused("rate_limited", retry_after_s=ceil(wait_ms / 1000))


def spend(*, sale_id: int, name: str, for_s: int) -> bool:
    """Whether this name was unspent. It is remembered for so many seconds."""
    try:
        return gate.first_time(sale_id=sale_id, name=name, for_s=for_s)
    except GateUnavailable as error:
        raise Refused("unavailable") from error


async def join_line(*, sale_id: int, user_id: int, client: str = "") -> Place:
    """A number in the sale's waiting room, or the one this user has.

    Raises:
        Refused: there is none to be had, and why; `unavailable`: unknown, ask again.
    """
    try:
        return _in_line(await room.join(sale_id=sale_id, user_id=user_id, client=client))
    except GateUnavailable as error:
        raise Refused("unavailable") from error


async def leave_line(*, sale_id: int, user_id: int, client: str = "") -> Place:
    """Give the number back; its turn goes to somebody else.

    Raises:
        Refused: as in `join_line`.
    """
    try:
        return _in_line(await room.leave(sale_id=sale_id, user_id=user_id, client=client))
    except GateUnavailable as error:
        raise Refused("unavailable") from error


def line_of(*, sale_id: int, user_id: int | None) -> tuple[Line, Place | None] | None:
    """The line of a sale, and where this user stands in it; None: no waiting room is on, or Redis is away."""
    try:
        state = gate.read_state(sale_id)
        line = room.read_line(sale_id) if state is not None and state.room != "off" else None
        if line is None:
            return None
        return line, None if user_id is None else room.look_sync(sale_id=sale_id, user_id=user_id)
    except GateUnavailable:
        return None


def place_of(number: int, line: Line) -> int:
    """Turns before this number's own, from the start of the line."""
    return room.place_of(number, before=line.before, seed=line.seed)


def join_line_sync(*, sale_id: int, user_id: int, client: str = "") -> Place:
    """As `join_line`, for code without an event loop."""
    try:
        return _in_line(room.join_sync(sale_id=sale_id, user_id=user_id, client=client))
    except GateUnavailable as error:
        raise Refused("unavailable") from error


def leave_line_sync(*, sale_id: int, user_id: int, client: str = "") -> Place:
    """As `leave_line`, for code without an event loop."""
    try:
        return _in_line(room.leave_sync(sale_id=sale_id, user_id=user_id, client=client))
    except GateUnavailable as error:
        raise Refused("unavailable") from error


def _in_line(found: Place) -> Place:
    if found.word == "missing":
        raise Refused("unknown_sale")
    if found.word == "rate_limited":
        raise Refused("rate_limited", retry_after_s=ceil(found.number / 1000))
    if found.word in ("room_closed", "ended"):
        raise Refused(found.word)
    return found


def bear_witness(receipt: Receipt) -> None:
    """A receipt is signed by us: a gate that has counted less far has lost data, whoever else remembers."""
    with contextlib.suppress(GateUnavailable):
        gate.witness(sale_id=receipt.sale_id, epoch=receipt.epoch, seq=receipt.seq)


def standing(sale_id: int) -> Standing | None:
    """None: Redis is away, or the gate is."""
    try:
        state = gate.read_state(sale_id)
    except GateUnavailable:
        return None
    return Standing(state.epoch, state.seq, state.worked_off) if state else None


def _admission(decision: Decision) -> Admission:
    match decision.outcome:
        case "admitted":
            receipt = _receipt_in(decision.body)
            gate.saw(sale_id=receipt.sale_id, epoch=receipt.epoch, seq=receipt.seq)
            return Admission(receipt, decision.number)
        case "conflict":
            raise Refused("idempotency_conflict")
        case "missing" | "closed" | "ended":
            raise NoGate(decision.outcome)
        case "over_limit":
            left = f"You may buy {decision.number} more" if decision.number else "You have bought all you may"
            raise Refused("over_limit", f"{left} in this sale.")
        case "sold_out":
            some = f"Only {decision.number} left." if decision.number else ""
            raise Refused("sold_out", some, left=decision.number)
        case "wait":
            raise Refused("not_your_turn", f"It is not your turn yet: {decision.number + 1} before you.")
        case "rate_limited":
            raise Refused("rate_limited", retry_after_s=ceil(decision.number / 1000))
        case "queue_full":
            raise Refused("queue_full", retry_after_s=ceil(decision.retry_after_s))
        case code:
            raise Refused(code)
