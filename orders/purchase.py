"""POST /api/sales/{id}/orders, whichever server took it: what is asked, whether it may be, and the answer.

The fast lane (orders/lane.py) and Django's view (orders/api.py) each make an `Ask` of their request and call `buy` or
`buy_sync`; there is no other definition of this request.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec

from orders import admission, answers, passes, services
from orders.admission import MOST_UNITS
from orders.answers import Answer
from orders.bodies import parse
from orders.errors import Refused
from orders.passes import BadPass


class Purchase(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The whole body. Price, status and buyer are not the buyer's to say, so naming them is an error."""

    quantity: Annotated[int, msgspec.Meta(ge=1, le=MOST_UNITS)]


class Ask(msgspec.Struct, gc=False):
    """A request to buy. Headers that are missing are ''; body None is larger than anybody reads."""

    sale_id: int
    session_key: str  # the session's cookie
    sale_pass: str  # Sale-Pass
    key: str  # Idempotency-Key
    attempt: str  # Idempotency-Attempt: 1, 2, 3 …; 1 says that this key was never sent before
    body: bytes | None
    client: str  # the address it comes from, behind every proxy that is trusted


MALFORMED_KEY = "The Idempotency-Key must be 8 to 100 letters, digits, '_' or '-'."

_decoder = msgspec.json.Decoder(Purchase)


async def buy(ask: Ask) -> Answer:
    try:
        user_id, holds, quantity = judge(ask)
        sale_id, key = ask.sale_id, ask.key
        if not holds:
            placed = await services.recall_order(
                sale_id=sale_id, user_id=user_id, idempotency_key=key, quantity=quantity
            )
        elif ask.attempt == "1" and admission.is_sold_out(sale_id):
            return answers.SOLD_OUT
        else:
            placed = await services.place_order(
                sale_id=sale_id, user_id=user_id, idempotency_key=key, quantity=quantity, client=ask.client
            )
        return answers.ordered(placed)
    except Refused as why:
        return answers.refused(why)


def buy_sync(ask: Ask) -> Answer:
    """As `buy`, for code without an event loop."""
    try:
        user_id, holds, quantity = judge(ask)
        place = partial(services.place_order_sync, client=ask.client) if holds else services.recall_order_sync
        return answers.ordered(place(sale_id=ask.sale_id, user_id=user_id, idempotency_key=ask.key, quantity=quantity))
    except Refused as why:
        return answers.refused(why)


def bearer(ask: Ask) -> tuple[int, bool]:
    """Whose pass this is, and whether it still holds.

    Raises:
        Refused: there is none, or it is not for this sale and session.
    """
    if not ask.sale_pass:
        raise Refused("no_pass")
    try:
        return passes.check(ask.sale_pass, sale_id=ask.sale_id, session_key=ask.session_key)
    except BadPass as error:
        raise Refused("bad_pass") from error


def judge(ask: Ask) -> tuple[int, bool, int]:
    """Who asks, whether the pass still holds, and for how many. No I/O: this costs nobody but this process.

    A pass that is too old buys nothing, but what it bought is still its owner's to ask for.

    Raises:
        Refused: the pass, the key or the body is wrong, in this order.
    """
    user_id, holds = bearer(ask)
    if not ask.key:
        raise Refused("missing_idempotency_key")
    if not admission.is_well_formed(ask.key):
        raise Refused("invalid", MALFORMED_KEY)
    return user_id, holds, parse(ask.body, _decoder, what="an order").quantity
