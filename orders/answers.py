"""Every answer of the order API, written once: the fast lane sends these bytes, Django's views send them, and OpenAPI's
schema is made of the same structs.

{"error": {"code": "over_limit", "message": "You have bought all you may in this sale."}}
"""

from __future__ import annotations

from typing import Literal

import msgspec
from django.http import HttpResponse

from orders import cookies
from orders.errors import Refused
from orders.services import Placed
from orders.tallies import ADMITTED


class Ordered(msgspec.Struct, gc=False):
    """202: admitted."""

    order_id: str
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
    """One HTTP response. Header names are in lower case. outcome: of a purchase, as orders/tallies.py counts it."""

    status: int
    body: bytes
    headers: list[Header]
    outcome: str = ""


_encode = msgspec.json.Encoder().encode
_text = msgspec.to_builtins  # a UUID's, in C; str() of one runs Python
_COMMON: list[Header] = [
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),  # an answer of this second is not the answer of the next
]


def ordered(placed: Placed) -> Answer:
    receipt = placed.receipt
    order_id = _text(receipt.order_id)
    said = Ordered(
        order_id,
        placed.token,
        placed.status,
        placed.place,
        receipt.quantity,
        receipt.price_cents,
        receipt.total_cents,
    )
    location = (b"location", b"/api/orders/" + order_id.encode())
    return _answer(202, said, location, cookies.line(order_id, placed.token), outcome=ADMITTED)


def refused(why: Refused) -> Answer:
    if why.code == "sold_out":
        return _answer(why.status, SoldOut("sold_out", why.left or 0, why.message), outcome=why.code)
    return failed(why.status, why.code, why.message, retry_after_s=why.retry_after_s)


def failed(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> Answer:
    said = Failure(Problem(code, message))
    if retry_after_s is None:
        return _answer(status, said, outcome=code)
    return _answer(status, said, (b"retry-after", str(retry_after_s).encode()), outcome=code)


def answered(status: int, said: msgspec.Struct) -> Answer:
    return _answer(status, said)


def _answer(status: int, said: msgspec.Struct, *headers: Header, outcome: str = "") -> Answer:
    body = _encode(said)
    return Answer(status, body, [*_COMMON, (b"content-length", str(len(body)).encode()), *headers], outcome)


def as_http(answer: Answer) -> HttpResponse:
    """The same, as Django says it."""
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        if name == b"set-cookie":
            response.cookies.load(value.decode())
        else:
            response[name.decode().title()] = value.decode()
    return response


SOLD_OUT = refused(Refused("sold_out", left=0))
BROKEN = failed(500, "internal", "That was our fault.")
