"""A server as a foreground child: started until it answers, stopped by its polite signal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Protocol

from config.stack.lifeline import tied_to_us

READY_WITHIN_S = 30.0
LOG_KEPT_BYTES = 10_000_000


class ServerFailed(Exception):
    """A server did not start; the message says why and where its log is."""


class Server(Protocol):
    """What the supervisor, the tests and the drills need of a server."""

    name: str
    url: str
    process: subprocess.Popen[bytes] | None
    polite_signal: signal.Signals

    def spawn(self) -> None: ...
    def answers(self) -> bool: ...
    def is_ready(self) -> bool: ...
    def wait_until_ready(self) -> None: ...
    def start(self) -> None: ...
    def stop(self, *, timeout_s: float = 10.0) -> None: ...


class Foreground:
    """A child process with a log file of its own beside its data folder."""

    name: str
    url: str
    polite_signal: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = self.folder.parent / f"{self.folder.name}.log"

    def spawn(self) -> None:
        """Make what the server needs and start its process; it may not answer yet."""
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Spawn and wait until it answers; raises ServerFailed."""
        self.spawn()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when the server answers.

        Raises:
            ServerFailed: it exited, or did not answer within 30 s.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            time.sleep(0.02)
        raise ServerFailed(f"{self.name} did not answer within {READY_WITHIN_S:.0f} s: {self._last_words()}")

    def is_ready(self) -> bool:
        """Whether it answers.

        Raises:
            ServerFailed: it exited.
        """
        if self.process is not None and self.process.poll() is not None:
            raise ServerFailed(f"{self.name} exited with {self.process.returncode}: {self._last_words()}")
        return self.answers()

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

    def _run(self, command: list[str], *, user: str | None = None) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > LOG_KEPT_BYTES:
                self.log_path.rename(self.log_path.with_suffix(".log.1"))
        log: IO[bytes] = self.log_path.open("ab")
        with log:
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops servers last.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                cwd=self.folder,
                env=dict(os.environ),
                preexec_fn=tied_to_us(self.polite_signal),
            )

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-3:]
        return f"{' | '.join(lines)} (log: {self.log_path})"
