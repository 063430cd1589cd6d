"""Things the supervisor keeps running: a process of ours, or one of the two servers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from config.stack.foreground import Server
from config.stack.lifeline import tied_to_us
from config.stack.output import Lines

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
STEADY_AFTER_S = 30.0  # who ran that long is no longer counted as failing


class Kept:
    """Something that runs, and is started again when it dies: at once, then after longer and longer waits."""

    def __init__(self, name: str, *, ends: int) -> None:
        self.name = name
        self.ends = ends
        self.started_at = 0.0
        self.start_at: float | None = None
        self.once = False  # run to its end, not kept running
        self.result: int | None = None
        self._wait_s = FIRST_WAIT_S

    def spawn(self) -> None:
        raise NotImplementedError

    def exit_code(self) -> int | None:
        """Its exit code once it has exited; None while it runs, and when nothing was started."""
        raise NotImplementedError

    def ask_to_end(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """End it and whatever it started, now."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        raise NotImplementedError

    def wait_before_restart(self, now: float) -> float:
        """Seconds until it should be started again; the next failure in a row waits twice as long."""
        if now - self.started_at > STEADY_AFTER_S:
            self._wait_s = FIRST_WAIT_S
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, LONGEST_WAIT_S)
        return wait_s


class Child(Kept):
    """A process whose output we print. It leads a process group, so that nothing it starts survives it."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        ends: int = 1,
        env: Mapping[str, str],
        cwd: Path,
        socket: str = "",
        nice: int = 0,
    ) -> None:
        super().__init__(name, ends=ends)
        self.nice = nice
        self.socket = socket
        self.command = command
        self.lines = Lines()
        self.process: subprocess.Popen[bytes] | None = None
        self._env = dict(env)
        self._cwd = cwd

    def spawn(self) -> None:
        if self.socket:
            Path(self.socket).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=self._cwd,
            env=self._env,
            preexec_fn=tied_to_us(signal.SIGTERM, nice=self.nice),
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def read(self) -> list[str] | None:
        """The whole lines that are there now; None at the end of the output."""
        try:
            return self._read()
        except BlockingIOError:
            return []

    def _read(self) -> list[str] | None:
        if self.process is None or self.process.stdout is None:
            return None
        data = os.read(self.process.stdout.fileno(), 64 * 1024)
        return self.lines.feed(data) if data else None

    def close(self) -> list[str]:
        """Forget the ended process; returns what it still had to say."""
        rest = []
        with contextlib.suppress(BlockingIOError):
            while (lines := self._read()) is not None:
                rest += lines
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return rest + self.lines.rest()

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class KeptServer(Kept):
    """PostgreSQL or Valkey; its output goes to its own log."""

    def __init__(self, server: Server, *, ends: int) -> None:
        super().__init__(server.name, ends=ends)
        self.server = server

    def spawn(self) -> None:
        self.server.spawn()

    @property
    def pid(self) -> int | None:
        return self.server.process.pid if self.server.process else None

    def exit_code(self) -> int | None:
        return self.server.process.poll() if self.server.process else None

    def ask_to_end(self) -> None:
        if self.server.process is not None:
            self.server.process.send_signal(self.server.polite_signal)

    def kill(self) -> None:
        if self.server.process is not None:
            self.server.process.kill()
