"""Pages that stay open: server-sent events, written beside Django and not inside it.

A view decides who may listen, as any view does, and returns `event_stream(...)`. Its request then ends at once, and
with it the thread and the database connection that Django holds for a request; `streams`, around Django's handler in
config/asgi.py, goes on with the client. However many listen, a thing is computed once a period (broadcast.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from queueing.console.broadcast import Broadcast, Make
from queueing.console.ending import process_ends

logger = logging.getLogger("queueing.console")

Application = Callable[[Any, Any, Any], Awaitable[None]]

MOST = 64  # open streams of this process; who comes later polls
LASTS_S = 240.0  # then the browser comes again
ASKED_AGAIN_S = 15.0  # whether it may still listen: somebody may have logged out, or be no operator any more
LAST_WORD_S = 1.0  # for a client that does not read
COMES_AGAIN_MS = 1_000
_KEY = "sluice.stream"

_broadcasts: dict[Make, Broadcast] = {}
_open = 0


def event_stream(request: HttpRequest, make: Make, every_s: float = 1.0) -> HttpResponse:
    """The answer of a view whose address ends in /stream/ (the gateway bounds those by themselves).

    make: the JSON that everybody who listens gets; called in a thread, the same function for the same thing: by it a
    computation is shared. every_s: seconds between two of them.

    Where nothing can be kept open, or too much is, it says so with an empty answer, and static/queueing/live.js polls.
    """
    slot: list[tuple[Make, float]] | None = getattr(request, "scope", {}).get(_KEY)
    if slot is None:
        return HttpResponse(status=204)
    if _open >= MOST:
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    if request.method == "GET":
        slot.append((make, every_s))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect 32 kB first
    return HttpResponse(content_type="text/event-stream", headers=headers)


def streams(django: Application) -> Application:
    """Django's handler, and the streams that its views allowed."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/stream/"):
            await django(scope, receive, send)
            return
        wished: list[tuple[Make, float]] = []
        kept: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            kept.append(message)

        await django({**scope, _KEY: wished}, receive, keep)
        if wished and kept and kept[0]["status"] == 200:
            kept[0]["headers"] = [header for header in kept[0]["headers"] if header[0].lower() != b"content-length"]
            await send(kept[0])
            await _listen(*wished[0], receive, send, _refused(django, scope))
        else:
            for message in kept:
                await send(message)

    return application


async def _listen(make: Make, every_s: float, receive: Any, send: Any, refused: Coroutine[Any, Any, None]) -> None:
    """Write until the client goes or may not listen any more, the process is asked to end, or it has lasted long
    enough."""
    global _open
    _open += 1
    writing = asyncio.create_task(_write(_broadcasts.setdefault(make, Broadcast(make, every_s)), send))
    leaving = asyncio.create_task(_gone(receive))
    ending = asyncio.create_task(process_ends().wait())
    refusing = asyncio.create_task(refused)
    tasks = {writing, leaving, ending, refusing}
    try:
        await asyncio.wait(tasks, timeout=LASTS_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        _open -= 1
        for task in tasks:
            task.cancel()
        outcome, *_ = await asyncio.gather(writing, leaving, ending, refusing, return_exceptions=True)
        if isinstance(outcome, Exception):  # a client that goes in the middle of an event is one, too
            logger.info("a stream broke off: %r", outcome)
    if not leaving.done() or leaving.cancelled():
        with contextlib.suppress(Exception):  # it may have gone this moment, or not be reading
            async with asyncio.timeout(LAST_WORD_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refused(django: Application, scope: Any) -> None:
    """Until the view says no. A view that fails has not said so: PostgreSQL, which knows the sessions, may be away."""
    while True:
        await asyncio.sleep(ASKED_AGAIN_S)
        said: list[int] = []

        async def keep(message: dict[str, Any], said: list[int] = said) -> None:
            said.append(message.get("status", 0))

        with contextlib.suppress(Exception):
            await django({**scope, _KEY: []}, _nothing_more(), keep)
        if said and said[0] != HTTPStatus.OK and said[0] < HTTPStatus.INTERNAL_SERVER_ERROR:
            return


def _nothing_more() -> Callable[[], Awaitable[dict[str, Any]]]:
    """What a request without a body receives from a client that stays."""
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    return receive


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(broadcast: Broadcast, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"retry: %d\n\n" % COMES_AGAIN_MS, "more_body": True})
    async with contextlib.aclosing(broadcast.listen()) as bodies:
        async for body in bodies:
            await send({"type": "http.response.body", "body": event(body), "more_body": True})


def event(body: bytes) -> bytes:
    return b"".join(b"data: %s\n" % line for line in body.splitlines()) + b"\n"
