"""Bodies of any size against the ASGI application, as granian calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from config.body import cut_bodies


def handed_over(chunks: Iterable[bytes], *, after: int) -> tuple[list[int], bool]:
    """Lengths of the pieces the application was given, and whether the sender was listened to until the end."""
    coming = iter([{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks])
    last = {"type": "http.request", "body": b"", "more_body": False}
    heard: list[dict] = []
    pieces: list[int] = []

    async def receive() -> dict:
        heard.append(next(coming, last))
        return heard[-1]

    async def application(scope, receive, send) -> None:
        more = True
        while more:
            message = await receive()
            pieces.append(len(message["body"]))
            more = message["more_body"]

    asyncio.run(cut_bodies(application, after=after)({"type": "http"}, receive, None))
    return [length for length in pieces if length], heard[-1] is last


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], []),
        ([b"1234"], [4]),
        ([b"12345"] * 2, [5, 5]),
        ([b"12345"] * 3, [5, 5, 1]),
        ([b"1" * 100], [11]),
        ([b"1"] * 1000, [1] * 11),
    ],
)
def test_one_byte_more_than_is_allowed_and_no_other(chunks, expected):
    assert handed_over(chunks, after=10) == (expected, True)


def test_a_client_that_goes_away_is_told_of():
    coming = iter([{"type": "http.request", "body": b"1" * 9, "more_body": True}, {"type": "http.disconnect"}])
    seen: list[str] = []

    async def receive() -> dict:
        return next(coming)

    async def application(scope, receive, send) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"]])

    asyncio.run(cut_bodies(application, after=1)({"type": "http"}, receive, None))

    assert seen == ["http.request", "http.disconnect"]
