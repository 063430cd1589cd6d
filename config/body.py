"""A body that is too large is thrown away as it comes, instead of being kept on disk until somebody looks at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Any, Receive, Any], Awaitable[None]]


def cut_bodies(application: Application, *, after: int) -> Application:
    """Pass on at most `after` bytes and one more: enough for whoever reads it to see that it is too large.

    Django's ASGI handler takes a body in whole, into a temporary file, before it calls a view, and compares its length
    with DATA_UPLOAD_MAX_MEMORY_SIZE afterwards. Without this a stranger fills the disk.

    What comes later is read and dropped, not left in the socket: a client that is still sending would meet a closed
    connection instead of our answer.
    """

    async def cut(scope: Any, receive: Receive, send: Any) -> None:
        left = after + 1

        async def receive_some() -> Message:
            nonlocal left
            message = await receive()
            while left == 0 and message["type"] == "http.request" and message.get("more_body"):
                message = await receive()
            if message["type"] == "http.request":
                body = message.get("body", b"")[:left]
                left -= len(body)
                message = {**message, "body": body}
            return message

        await application(scope, receive_some, send)

    return cut
