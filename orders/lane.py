"""Ordering and the waiting room's line as a bare ASGI application; config/lane.py mounts it before Django.

Django's handler, its middlewares and django-ninja cost half a millisecond a request; the hot second has twenty
microseconds. Nothing is decided here: what is asked and what is answered is defined in orders/purchase.py
and orders/line.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from orders import line, purchase
from orders.answers import Answer
from orders.purchase import Ask

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class WentAway(Exception):
    """The client closed its connection before its request was whole."""


async def place_order(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    ask = await _ask(sale_id, scope, receive)
    if ask is not None:
        await respond(send, await purchase.buy(ask))


async def join_line(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    ask = await _ask(sale_id, scope, receive)
    if ask is not None:
        await respond(send, await line.join(ask))


async def leave_line(sale_id: int, scope: Any, receive: Receive, send: Send) -> None:
    ask = await _ask(sale_id, scope, receive)
    if ask is not None:
        await respond(send, await line.leave(ask))


async def _ask(sale_id: int, scope: Any, receive: Receive) -> Ask | None:
    """What is asked; None when the client went away before saying it."""
    sale_pass = key = attempt = cookie = b""
    for name, value in scope["headers"]:  # in lower case; one that comes twice is joined, as Django joins it
        if name == b"sale-pass":
            sale_pass = sale_pass + b"," + value if sale_pass else value
        elif name == b"idempotency-key":
            key = key + b"," + value if key else value
        elif name == b"idempotency-attempt":
            attempt = attempt + b"," + value if attempt else value
        elif name == b"cookie":
            cookie = cookie + b"; " + value if cookie else value
    try:
        body = await read_body(receive, at_most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    except WentAway:
        return None
    return Ask(
        sale_id,
        session_key_in(cookie.decode("latin-1")),
        sale_pass.decode("latin-1"),
        key.decode("latin-1"),
        attempt.decode("latin-1"),
        body,
    )


async def respond(send: Send, answer: Answer) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
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
    name = settings.SESSION_COOKIE_NAME
    found = ""
    for part in cookie.split(";"):
        before, equals, value = part.partition("=")
        if equals and before.strip() == name:
            found = value.strip()
    return found
