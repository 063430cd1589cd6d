"""The two doors to one address: Django's handler, and the fast lane in front of it."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync
from django.test import Client

from config.lane import fast_lane
from inventory import gate

# What Django's middlewares put on every response for the sake of pages.
FOR_PAGES = {
    *("content-security-policy", "x-frame-options", "referrer-policy", "cross-origin-opener-policy", "vary"),
    "content-length",
}


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]
    cookies: dict[str, dict[str, str]]


def by_django(client: Client, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    got = client.generic(method, path, body, "application/json", headers=headers)
    given = {name.lower(): value for name, value in got.items()}
    return _reply(got.status_code, got.content, given, got.cookies)


def by_the_lane(client: Client, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    return _lane_reply(*async_to_sync(_call)(method, path, _with_cookies(client, headers), [body]))


def _with_cookies(client: Client, headers: dict[str, str]) -> list[tuple[str, str]]:
    cookie = "; ".join(f"{name}={value.value}" for name, value in client.cookies.items())
    return [("host", "testserver"), ("cookie", cookie), *headers.items()]


def _lane_reply(status: int, given: list[tuple[str, str]], said: bytes) -> Reply:
    cookies: SimpleCookie = SimpleCookie()
    for name, value in given:
        if name == "set-cookie":
            cookies.load(value)
    return _reply(status, said, {name: value for name, value in given if name != "set-cookie"}, cookies)


def in_one_process(client: Client, posts: list[tuple[str, bytes, dict[str, str]]]) -> list[Reply]:
    """One after the other through the lane of one event loop, which remembers between them."""

    async def all_of_them() -> list[Any]:
        try:
            return [await _say("POST", path, _with_cookies(client, headers), [body]) for path, body, headers in posts]
        finally:
            await gate.aclose()

    return [_lane_reply(*said) for said in async_to_sync(all_of_them)()]


async def no_django(scope: Any, receive: Any, send: Any) -> None:
    """Behind the lane in tests that ask whether the lane answers."""
    await send({"type": "http.response.start", "status": 599, "headers": []})
    await send({"type": "http.response.body", "body": b"Django's"})


async def _call(
    method: str, path: str, headers: list[tuple[str, str]], chunks: list[bytes]
) -> tuple[int, list[tuple[str, str]], bytes]:
    try:
        return await _say(method, path, headers, chunks)
    finally:
        await gate.aclose()


async def _say(
    method: str, path: str, headers: list[tuple[str, str]], chunks: list[bytes]
) -> tuple[int, list[tuple[str, str]], bytes]:
    coming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    coming[-1]["more_body"] = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    await fast_lane(no_django)(scope, receive, send)
    start, *bodies = sent
    given = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
    return start["status"], given, b"".join(message["body"] for message in bodies)


async def poll_together(path: str, count: int) -> list[bytes]:
    """The bodies that so many are told who ask at the same moment."""
    answers = await asyncio.gather(*(_call("GET", path, [], [b""]) for _ in range(count)))
    return [body for _, _, body in answers]


def _reply(status: int, body: bytes, headers: dict[str, str], cookies: Any) -> Reply:
    kept = {name: value for name, value in headers.items() if name not in FOR_PAGES}
    shown = {
        name: {"value": morsel.value, **{attribute: str(value) for attribute, value in morsel.items() if value}}
        for name, morsel in cookies.items()
    }
    return Reply(status, body, kept, shown)
