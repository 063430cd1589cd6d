"""Speaking as a trusted edge: from an address in the shop's TRUSTED_PROXIES, for a different client each time.

So the shop's limits per address stay on, and meet as many addresses as a crowd has.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from loadtests.stack import StackFailed

ADDRESS = "127.0.0.2"  # trusted by default; nobody's browser comes from there


def source_for(url: str) -> str | None:
    """Where to speak from; None where the shop is on another machine, which must trust this one's own address.

    Raises:
        StackFailed: this system has no such loopback address.
    """
    host = urlsplit(url).hostname or "127.0.0.1"
    if host != "localhost" and not host.startswith("127."):
        return None
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESS, 0))
        except OSError as problem:
            raise StackFailed(
                f"{ADDRESS} can't be used ({problem.strerror}): the load generator speaks from there, as an edge that "
                f"the shop trusts. On macOS: sudo ifconfig lo0 alias {ADDRESS}"
            ) from None
    return ADDRESS


def client_address(number: int) -> str:
    """A different one for each client, of a network that is nobody's."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
