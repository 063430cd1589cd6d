"""Who is asking: the socket's address, or what a proxy that we trust says in X-Forwarded-For.

The header is read from the right. Each proxy appends whom it heard from, so the right-most entry was written by the
proxy we are connected to; the walk goes on only while the writer is trusted, and what stands further left was written
by a stranger and changes nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from socket import AF_INET, inet_pton
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Application = Callable[[Any, Any, Any], Awaitable[None]]

HEADER = b"x-forwarded-for"
UNIX_SOCKET = ""  # the peer of a Unix socket has no address: it is the gateway on this machine
NOBODY = "0.0.0.0"  # noqa: S104  no address to bind to; the name of those who have none


def see_through_proxies(application: Application, *, trusted: Sequence[Network]) -> Application:
    """Put the client's own address into scope["client"], for Django and for every limit.

    What came through our own gateway loses the header: it has been used up, and whoever asks whether a request came
    through somebody else's proxy (config/metrics.py) is not misled.
    """
    is_trusted = _judge(tuple(trusted))

    def seen(scope: Any, receive: Any, send: Any) -> Awaitable[None]:  # a coroutine of its own would only wait
        if scope["type"] == "http":
            headers = scope["headers"]
            peer, port = scope["client"] or (UNIX_SOCKET, 0)
            said = [value for name, value in headers if name == HEADER]
            told = b",".join(said)
            if peer == UNIX_SOCKET:
                others = [header for header in headers if header[0] != HEADER] if said else headers
                scope = {**scope, "headers": others, "client": (address(NOBODY, told, NOBODY.__eq__), 0)}
            elif told:
                scope = {**scope, "client": (address(peer, told, is_trusted), int(port))}
        return application(scope, receive, send)

    return seen


def address(peer: str, told: bytes, is_trusted: Callable[[str], bool]) -> str:
    """The first from the right that is not trusted; the last one that makes sense where an entry does not."""
    found = peer
    for entry in reversed(told.split(b",")):
        said = _normal(entry.strip()) if is_trusted(found) else None
        if said is None:
            break
        found = said
    return found


def _normal(entry: bytes) -> str | None:
    """A crowd comes from as many addresses: nearly all are IPv4, which C reads in a tenth of ipaddress's time, and as
    strictly."""
    try:
        text = entry.decode("ascii")
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return _parsed(entry)
    return text


@lru_cache(4096)
def _parsed(entry: bytes) -> str | None:
    try:
        parsed = ipaddress.ip_address(entry.decode("ascii"))
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def _judge(networks: tuple[Network, ...]) -> Callable[[str], bool]:
    @lru_cache(4096)
    def is_trusted(text: str) -> bool:
        try:
            parsed = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return is_trusted
