"""GET /api/sales/{id} in the fast lane: what everybody polls is read once and told to all.

It is Django's own view, called in a thread without its middlewares; its answer may be a second old by its own
Cache-Control, and is shared for a fifth of that. While Redis hangs one thread a sale waits for it, not one a shopper.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse

from config.api import RETRY_AFTER_S, api, error
from inventory.api import sale as view

SHARED_FOR_S = 0.2
MOST_LOOKING = 64  # sales at once; many more ids than that are somebody's guesses
THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sale-json")

Messages = tuple[dict[str, Any], dict[str, Any]]


class Look(NamedTuple):
    asked_at: float  # the event loop's clock
    task: asyncio.Task[Messages]


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Look]] = WeakKeyDictionary()


async def sale(sale_id: int, scope: Any, receive: Any, send: Any) -> None:
    loop = asyncio.get_running_loop()
    looks = _by_loop.setdefault(loop, {})
    now = loop.time()
    look = looks.get(sale_id)
    if look is None or (look.task.done() and now - look.asked_at > SHARED_FOR_S):
        for old in [each for each, (at, task) in looks.items() if task.done() and now - at > SHARED_FOR_S]:
            del looks[old]
        if len(looks) >= MOST_LOOKING:
            await _send(send, _messages(error(503, "unavailable", "One moment, please.", retry_after_s=RETRY_AFTER_S)))
            return
        look = looks[sale_id] = Look(now, loop.create_task(_look(sale_id)))
    await _send(send, await asyncio.shield(look.task))  # one who goes away must not end it for the others


@sync_to_async(thread_sensitive=False, executor=THREADS)
def _look(sale_id: int) -> Messages:
    request = HttpRequest()
    request.method, request.path = "GET", f"/api/sales/{sale_id}"
    try:
        answer = view(request, sale_id)
    except Exception as why:
        answer = api.on_exception(request, why)
    finally:
        if not connection.in_atomic_block:
            close_old_connections()
    return _messages(answer)


def _messages(answer: HttpResponse) -> Messages:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.items()]
    headers += [(b"x-content-type-options", b"nosniff"), (b"content-length", str(len(answer.content)).encode())]
    start = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
    return start, {"type": "http.response.body", "body": answer.content}


async def _send(send: Any, messages: Messages) -> None:
    for message in messages:
        await send(message)
