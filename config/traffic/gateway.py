"""Asks nginx what it has counted, through a door of its own that the public never sees (deploy/nginx).

nginx knows how many requests it took. How many of them it answered itself, and how many it made of its own to fill its
cache, it tells by the length of two files, to which it adds one byte each time. The rest was turned away or passed on.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 0.5
CUT_AT_BYTES = 64_000_000
TALLIES = ("answered", "fetched")
_REQUESTS = re.compile(r"^\s*\d+ \d+ (\d+)\s*$", re.MULTILINE)


class GatewaySilent(Exception):
    """It does not answer, or not as nginx does."""


class Counted(NamedTuple):
    """Since nginx started. answered, fetched: None where the files can't be read."""

    requests: int
    answered: int | None
    fetched: int | None


class Gateway:
    """where: unix:/path of a socket, or http://host:port. asked: how many requests this object has sent."""

    def __init__(self, where: str) -> None:
        self.name = where if where.startswith("http") else f"{socket.gethostname()}{where.removeprefix('unix:')}"
        self._where = where
        self.asked = 0

    def read(self) -> Counted:
        """
        Raises:
            GatewaySilent
        """
        connection = self._connection()
        try:
            found = _REQUESTS.search(self._ask(connection, "GET", "/requests")[1])
            if found is None:
                raise GatewaySilent(f"{self._where} does not say how many requests there were")
            answered, fetched = (self._length(connection, name) for name in TALLIES)
            return Counted(int(found[1]), answered, fetched)
        except (OSError, http.client.HTTPException) as error:
            raise GatewaySilent(f"{self._where}: {error}") from error
        finally:
            connection.close()

    def cut(self) -> None:
        """Keep the files from filling the disk. What comes in that very moment may be lost from the count."""
        if self._where.startswith("http"):
            return
        for name in TALLIES:
            tally = Path(self._where.removeprefix("unix:")).with_name(f"{name}.tally")
            try:
                if tally.stat().st_size > CUT_AT_BYTES:
                    os.truncate(tally, 0)
            except OSError:
                continue  # not ours to cut

    def _length(self, connection: http.client.HTTPConnection, name: str) -> int | None:
        status, _, length = self._ask(connection, "HEAD", f"/{name}")
        return length if status == http.HTTPStatus.OK else None

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, str, int]:
        self.asked += 1
        connection.request(method, path, headers={"Host": "gateway"})
        response = connection.getresponse()
        length = int(response.headers.get("Content-Length") or 0)
        return response.status, response.read().decode(errors="replace"), length

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._where)
        connection = http.client.HTTPConnection(parts.hostname or "gateway", parts.port, timeout=ANSWER_WITHIN_S)
        if parts.scheme == "unix":
            try:
                connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.sock.settimeout(ANSWER_WITHIN_S)
                connection.sock.connect(parts.path)
            except OSError as error:
                connection.close()
                raise GatewaySilent(f"{self._where}: {error}") from error
        return connection
