"""`manage.py top` on a real terminal: it lives through what happens, and leaves the terminal as it was."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from django.db import connection

from config.stack.servers import Valkey

ROOT = Path(__file__).resolve().parents[1]


def _last(seen: str) -> str:
    """The newest frame: each is drawn from the corner."""
    return seen.rpartition("\x1b[H")[2]


def _width(frame: str) -> int:
    return max(len(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line)) for line in frame.splitlines())


class Watcher:
    """`manage.py top` on a terminal of its own."""

    def __init__(self, **environment: str) -> None:
        parameters = connection.get_connection_params()
        database = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
        self.mine, theirs = pty.openpty()
        self.size(rows=40, columns=80)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "top"],
            cwd=ROOT,
            # Its size is the terminal's: some who run the tests set these.
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "COLUMNS": "",
                "LINES": "",
                "DATABASE_URL": database,
                **environment,
            },
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )

    def size(self, *, rows: int, columns: int) -> None:
        ioctl(self.mine, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.mine, keys)

    def until(self, is_so: Callable[[str], object], within_s: float = 15) -> str:
        """What was drawn since the last call, up to where it is so."""
        deadline = time.monotonic() + within_s
        while not is_so(self.seen):
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.mine], [], [], 0.1)[0]:
                self.seen += os.read(self.mine, 65536).decode(errors="replace")
        seen, self.seen = self.seen, ""
        return seen

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        os.close(self.mine)
        os.close(self.theirs)


@pytest.mark.django_db(transaction=True)
def test_it_lives_through_a_restart_of_redis_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "valkey", settings={"appendfsync": "no"})
    server.start()
    watcher = Watcher(REDIS_URL=server.url)
    try:
        watcher.until(lambda seen: "notifications" in seen and "high or late" in seen)

        watcher.size(rows=45, columns=50)
        watcher.until(lambda seen: "payments" in _last(seen) and _width(_last(seen)) <= 50)
        server.stop()
        watcher.until(lambda seen: "Redis does not" in seen)
        server.start()
        watcher.until(lambda seen: "Lag, last" in _last(seen) and "Redis does not" not in _last(seen))

        watcher.type(b"\x03")
        end = watcher.until(lambda seen: watcher.process.poll() is not None and "\x1b[?1049l" in seen)

        assert "\x1b[?25h" in end, "the cursor is seen again"
        assert "Traceback" not in end
        assert watcher.process.returncode == 0
        assert termios.tcgetattr(watcher.theirs) == watcher.before
    finally:
        watcher.close()
        server.stop()


@pytest.mark.django_db(transaction=True)
def test_a_signal_ends_it_cleanly_while_it_is_still_drawing_its_first_frame() -> None:
    watcher = Watcher()
    try:
        watcher.until(lambda seen: "\x1b[?1049h" in seen)

        watcher.process.send_signal(signal.SIGTERM)

        watcher.until(lambda seen: watcher.process.poll() is not None and "\x1b[?25h" in seen)
        assert watcher.process.returncode == 128 + signal.SIGTERM
        assert termios.tcgetattr(watcher.theirs) == watcher.before
    finally:
        watcher.close()
