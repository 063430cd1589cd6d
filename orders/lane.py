"""Ordering and the waiting room's line as a bare ASGI application; config/lane.py mounts it before Django.

Django's handler, its middlewares and django-ninja cost half a millisecond a request; the hot second has twenty
microseconds. Nothing is decided here: what is asked and what is answered is defined in orders/purchase.py
and orders/line.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any

from django.conf import settings

from orders import line, purchase
from orders.answers import Answer
from orders.bodies import LARGEST
from orders.purchase import Ask
from orders.tallies import BROKEN, LANE
from queueing import tracing

SESSION: str = settings.SESSION_COOKIE_NAME

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class WentAway(Exception):
    """The client closed its connection before its request was whole."""


async def place_order(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    try:
        body = await read_body(receive, at_most=LARGEST)
    except WentAway:
        return
    since, outcome = perf_counter_ns(), BROKEN
    try:
        answer = await purchase.buy(_ask(sale_id, scope, body))
        outcome = answer.outcome
        await respond(send, answer)
    finally:
        LANE.note(outcome, since)


async def join_line(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    await _answer(line.join, sale_id, scope, receive, send)


async def leave_line(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    await _answer(line.leave, sale_id, scope, receive, send)


async def _answer(
    decide: Callable[[Ask], Awaitable[Answer]], sale_id: int, scope: Any, receive: Receive, send: Send
) -> None:
    with contextlib.suppress(WentAway):
        body = await read_body(receive, at_most=LARGEST)
        await respond(send, await decide(_ask(sale_id, scope, body)))


def _ask(sale_id: int, scope: Any, body: bytes | None) -> Ask:
    headers = scope["headers"]  # names are in lower case
    given = dict(headers)
    if len(given) != len(headers):
        given = _joined(headers)
    came = given.get(b"traceparent")
    tracing.note(came.decode("latin-1") if came else "")
    return Ask(
        sale_id,
        session_key_in(given.get(b"cookie", b"").decode("latin-1")),
        given.get(b"sale-pass", b"").decode("latin-1"),
        given.get(b"idempotency-key", b"").decode("latin-1"),
        given.get(b"idempotency-attempt", b"").decode("latin-1"),
        body,
        (scope.get("client") or ("",))[0],
    )


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """A header that comes twice is one with both values, as Django joins them."""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        between = b"; " if name == b"cookie" else b","
        given[name] = given[name] + between + value if name in given else value
    return given


async def respond(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def read_body(receive: Receive, *, at_most: int) -> bytes | None:
    """The body; None when it is larger. What comes after is read and dropped, not left in the socket: a client that
    is still sending would meet a closed connection instead of our answer.

    Raises:
        WentAway
    """
    message = await receive()
    if message["type"] != "http.request":
        raise WentAway
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            raise WentAway
        if len(body) <= at_most:
            body += message.get("body", b"")
    return body if len(body) <= at_most else None


def session_key_in(cookie: str) -> str:
    """The session's cookie in a Cookie header, as Django reads it: the last of a name wins."""
    found = ""
    for part in cookie.split(";"):
        name, equals, value = part.partition("=")
        if equals and name.strip() == SESSION:
            found = value.strip()
    return found
