"""Every answer of the order API, written once: the fast lane sends these bytes, Django's views send them, and OpenAPI's
schema is made of the same structs.

{"error": {"code": "over_limit", "message": "You have bought all you may in this sale."}}
"""

from __future__ import annotations

from functools import cache
from typing import Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse

from orders import cookies
from orders.errors import REASONS, Refused
from orders.services import Placed


class Ordered(msgspec.Struct, gc=False):
    """202: admitted."""

    order_id: UUID
    token: str
    status: str
    place: int
    quantity: int
    price_cents: int
    total_cents: int


class SoldOut(msgspec.Struct, gc=False):
    """200: a state, not an error. `left` units are fewer than were wanted; one that nobody pays for comes back."""

    status: Literal["sold_out"]
    left: int
    message: str


class Problem(msgspec.Struct, gc=False):
    code: str
    message: str


class Failure(msgspec.Struct, gc=False):
    """Every status from 400."""

    error: Problem


class InLine(msgspec.Struct, gc=False):
    """200: where you stand. `number` is yours through every refresh; compute your place from it and the sale's `room`.

    status: joined | claimed (your turn was used, you may order) | left | not_in_line | no_room (nobody needs a place).
    number: -1 for none.
    """

    status: str
    number: int


class Passed(msgspec.Struct, gc=False):
    """201: a pass. Renew it before `expires_at`, in seconds since 1970."""

    sale_pass: str = msgspec.field(name="pass")
    expires_at: int = 0


Header = tuple[bytes, bytes]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One HTTP response. Header names are in lower case."""

    status: int
    body: bytes
    headers: list[Header]


_encode = msgspec.json.Encoder().encode
_COMMON: list[Header] = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
# An answer of this second is not the answer of the next.
_NEVER_STORED: list[Header] = [*_COMMON, (b"cache-control", b"no-store")]


def ordered(placed: Placed) -> Answer:
    receipt = placed.receipt
    body = _encode(
        Ordered(
            receipt.order_id,
            placed.token,
            placed.status,
            placed.place,
            receipt.quantity,
            receipt.price_cents,
            receipt.total_cents,
        )
    )
    order_id = str(receipt.order_id)
    location = (b"location", f"/api/orders/{order_id}".encode())
    return Answer(202, body, [*_NEVER_STORED, location, *cookies.lines(order_id, placed.token)])


def refused(why: Refused) -> Answer:
    if why.code == "sold_out":
        return sold_out(why.left or 0, why.message)
    return failed(why.status, why.code, why.message, retry_after_s=why.retry_after_s)


@cache
def sold_out(left: int, message: str) -> Answer:
    return Answer(REASONS["sold_out"].status, _encode(SoldOut("sold_out", left, message)), _NEVER_STORED)


def failed(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> Answer:
    wait: list[Header] = [] if retry_after_s is None else [(b"retry-after", str(retry_after_s).encode())]
    return Answer(status, _encode(Failure(Problem(code, message))), [*_NEVER_STORED, *wait])


def answered(status: int, said: msgspec.Struct) -> Answer:
    return Answer(status, _encode(said), _NEVER_STORED)


def as_http(answer: Answer) -> HttpResponse:
    """The same, as Django says it."""
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        if name == b"set-cookie":
            response.cookies.load(value.decode())
        else:
            response[name.decode().title()] = value.decode()
    return response


BROKEN = failed(500, "internal", "That was our fault.")
