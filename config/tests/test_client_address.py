"""Whose address counts, whatever the header says."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from config.client_address import NOBODY, see_through_proxies

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("127.0.0.2"), ip_network("fd00::/8")]
UNIX = ("", "0")  # as granian says it


def seen(peer: tuple[str, Any] | None, *told: str, trusted: Any = TRUSTED) -> tuple[str, list[bytes]]:
    """The client's address as Django is told, and what is left of the header."""
    scopes: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    headers = [(b"host", b"shop"), *((b"x-forwarded-for", value.encode()) for value in told)]
    scope = {"type": "http", "client": peer, "headers": headers}
    asyncio.run(see_through_proxies(application, trusted=trusted)(scope, None, None))
    return scopes[0]["client"][0], [value for name, value in scopes[0]["headers"] if name == b"x-forwarded-for"]


@pytest.mark.parametrize("told", ["10.0.0.1", "1.1.1.1, 10.0.0.1", "127.0.0.2", "", ",,,", "rubbish"])
def test_a_stranger_gains_nothing_by_any_header(told: str) -> None:
    assert seen(("203.0.113.7", 4711), told)[0] == "203.0.113.7"
    assert seen(("203.0.113.7", 4711), *["9.9.9.9"] * 3, told)[0] == "203.0.113.7"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),  # 1.1.1.1 was written by 203.0.113.7
        ("1.1.1.1, 203.0.113.7, 10.0.0.9", "203.0.113.7"),  # through two proxies of ours
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),  # one person, one address
        ("203.0.113.7, rubbish", "10.0.0.1"),
        ("203.0.113.7:4711", "10.0.0.1"),
        ("203.0.113.07", "10.0.0.1"),
        ("203.0.113", "10.0.0.1"),
        ("203.0.113.7\0", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_believed_as_far_as_the_trusted_go(told: str, client: str) -> None:
    assert seen(("10.0.0.1", 4711), told)[0] == client


def test_several_headers_are_one() -> None:
    assert seen(("10.0.0.1", 1), "1.1.1.1", "203.0.113.7, 10.0.0.9")[0] == "203.0.113.7"


def test_with_an_empty_list_the_socket_alone_counts() -> None:
    assert seen(("10.0.0.1", 1), "203.0.113.7", trusted=[])[0] == "10.0.0.1"


def test_our_own_gateway_names_the_client_and_the_header_is_used_up() -> None:
    assert seen(UNIX, "203.0.113.7") == ("203.0.113.7", [])
    assert seen(None, "203.0.113.7") == ("203.0.113.7", [])
    assert seen(UNIX) == (NOBODY, [])


def test_an_edges_header_stays_for_whoever_asks_whether_there_was_a_proxy() -> None:
    assert seen(("10.0.0.1", 1), "127.0.0.1") == ("127.0.0.1", [b"127.0.0.1"])
