"""As much HTTP as the coupled shop needs: kept connections, and one function that answers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, Any]]
Respond = Callable[[str, str, dict[str, str], bytes], Awaitable[Answer]]  # method, path, headers, body

_HEADER = re.compile(r"^([^:\r\n]+): *([^\r\n]*)", re.MULTILINE)


class Store:
    """An append-only file. What was written is on disk before `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, fact: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(fact, separators=(",", ":")).encode() + b"\n")
        os.fdatasync(self._file)


def serve(port: int, respond: Respond) -> None:
    """Until the process is ended, or whoever holds its standard input is. An idle connection takes no thread."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                method, path, _ = head.split(" ", 2)
                headers = {name.lower(): value for name, value in _HEADER.findall(head.split("\r\n", 1)[1])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, answer = await respond(method, path, headers, body)
                text = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d .\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # gone
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=4096)
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), os._exit, 0)  # readable: it was closed
        async with server:
            await server.serve_forever()

    asyncio.run(run())
