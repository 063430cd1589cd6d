"""Open pages: one computation for all who listen, none for nobody, and nothing of Django's held meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from queueing.console import stream
from queueing.console.stream import event, event_stream, streams

SOON_S = 10.0
made = 0


def make() -> bytes:
    """What the room's clock says, and how often it was asked."""
    global made
    made += 1
    return b'{"tick": %d}' % made


def view(request: HttpRequest) -> HttpResponse:
    return event_stream(request, make, 0.02)


class Listener:
    """A browser that has opened /admin/room/stream/ on Django's handler, which here is one view."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse] = view) -> None:
        self.answer, self.said, self.gone = answer, asyncio.Queue[dict[str, Any]](), asyncio.Event()
        self.handler_has_ended = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": "/admin/room/stream/"}
        self.task = asyncio.create_task(streams(self._django)(scope, self._receive, self.said.put))

    async def _django(self, scope: Any, receive: Any, send: Any) -> None:
        request = RequestFactory().get(scope["path"])
        request.scope = scope  # type: ignore[attr-defined]
        response = self.answer(request)
        headers = [(name.encode(), value.encode()) for name, value in response.items()]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})
        self.handler_has_ended.set()

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.said.get(), SOON_S)

    async def ticks(self, number: int) -> list[bytes]:
        """So many events after the answer's head and the time to come again."""
        assert (await self.next())["status"] == 200
        assert (await self.next())["body"] == b"retry: 1000\n\n"
        return [(await self.next())["body"] for _ in range(number)]

    async def leave(self) -> None:
        self.gone.set()
        await asyncio.wait_for(self.task, SOON_S)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    global made
    made = 0
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        asyncio.run(story())
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


async def until(true: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not true():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), SOON_S)


def test_twenty_who_listen_hear_the_same_and_cost_one_computation_a_period() -> None:
    async def story() -> None:
        listeners = [Listener() for _ in range(20)]
        heard = await asyncio.gather(*(listener.ticks(5) for listener in listeners))
        await asyncio.gather(*(listener.leave() for listener in listeners))

        assert all(b'{"tick": 5}' in b"".join(ticks) for ticks in heard)
        assert made < 20, "one each would be a hundred"

    run(story)


def test_nothing_is_computed_when_the_last_has_left_and_again_when_one_comes() -> None:
    async def story() -> None:
        first = Listener()
        await first.ticks(2)
        await first.leave()
        at = made
        await asyncio.sleep(0.1)  # five periods
        assert made <= at + 1, "the one that was under way"

        second = Listener()
        assert await second.ticks(1) == [b'data: {"tick": %d}\n\n' % made]
        await second.leave()

    run(story)


def test_the_request_has_ended_before_the_first_event_is_written() -> None:
    async def story() -> None:
        listener = Listener()
        await listener.ticks(1)
        assert listener.handler_has_ended.is_set(), "with its thread and its connection"
        await listener.leave()

    run(story)


@pytest.mark.django_db
def test_a_connection_to_the_database_is_given_back_after_each_computation() -> None:
    seen: list[tuple[int, bool]] = []

    def counting() -> bytes:
        seen.append((threading.get_ident(), connection.connection is None))
        connection.ensure_connection()
        return b"1"

    async def story() -> None:
        listener = Listener(lambda request: event_stream(request, counting, 0.01))
        await listener.ticks(6)
        await listener.leave()

    run(story)
    assert all(fresh for _, fresh in seen)
    assert len({thread for thread, _ in seen}) < len(seen), "the same thread had one before"


def test_a_computation_that_fails_tells_nothing_and_the_next_one_does(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[None] = []

    def away_at_first() -> bytes:
        asked.append(None)
        if len(asked) < 3:
            raise OSError("Redis is away")
        return b"back"

    async def story() -> None:
        listener = Listener(lambda request: event_stream(request, away_at_first, 0.01))
        assert await listener.ticks(1) == [b"data: back\n\n"]
        await listener.leave()

    run(story)
    assert len(caplog.records) == 2


def test_there_is_a_bound_and_who_comes_later_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST", 2)

    async def story() -> None:
        inside = [Listener(), Listener()]
        for listener in inside:
            await listener.ticks(1)
        outside = Listener()
        assert (await outside.next())["status"] == 503
        await inside[0].leave()
        await until(lambda: stream._open < 2)
        late = Listener()
        await late.ticks(1)
        for listener in (inside[1], late):
            await listener.leave()

    run(story)
    assert stream._open == 0


def test_it_ends_by_itself_so_that_the_view_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LASTS_S", 0.1)

    async def story() -> None:
        listener = Listener()
        await asyncio.wait_for(listener.task, SOON_S)
        while (last := await listener.next()).get("more_body", True):
            pass
        assert last["body"] == b""

    run(story)


def test_who_logged_out_meanwhile_hears_no_more_and_a_failing_database_logs_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "ASKED_AGAIN_S", 0.02)
    answers = [503, 200, 503]

    def until_logged_out(request: HttpRequest) -> HttpResponse:
        if len(answers) == 3:
            answers.pop()
            return view(request)
        return HttpResponse(status=answers.pop() if answers else 302)

    async def story() -> None:
        listener = Listener(until_logged_out)
        await listener.ticks(1)
        await asyncio.wait_for(listener.task, SOON_S)

    run(story)
    assert answers == []


def test_who_does_not_read_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LASTS_S", 0.05)
    monkeypatch.setattr(stream, "LAST_WORD_S", 0.05)

    async def story() -> None:
        listener = Listener()
        listener.said = asyncio.Queue(maxsize=1)
        scope = {"type": "http", "method": "GET", "path": "/admin/room/stream/"}
        await asyncio.wait_for(streams(listener._django)(scope, listener._receive, listener.said.put), SOON_S)
        listener.task.cancel()

    run(story)
    assert stream._open == 0


def test_a_process_that_is_asked_to_end_ends_its_streams_and_its_own_handler_hears_it_too() -> None:
    told: list[int] = []

    async def story() -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
        listeners = [Listener() for _ in range(3)]
        for listener in listeners:
            await listener.ticks(1)

        os.kill(os.getpid(), signal.SIGTERM)

        await asyncio.wait_for(asyncio.gather(*(listener.task for listener in listeners)), SOON_S)

    run(story)
    assert told == [signal.SIGTERM]


def test_a_view_that_refuses_is_passed_on_as_it_is() -> None:
    async def story() -> None:
        listener = Listener(lambda request: HttpResponse(b"log in", status=302))
        await asyncio.wait_for(listener.task, SOON_S)
        assert [(await listener.next())["type"] for _ in range(2)] == ["http.response.start", "http.response.body"]

    run(story)


def test_where_nothing_can_stay_open_it_says_so_at_once() -> None:
    assert view(RequestFactory().get("/admin/room/stream/")).status_code == 204


def test_whatever_is_told_stays_one_event() -> None:
    assert event(b"one\ntwo\r\nthree") == b"data: one\ndata: two\ndata: three\n\n"
