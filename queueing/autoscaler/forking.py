"""A consumer is a fork of the supervisor, which has imported everything: it reads a few milliseconds later, and shares
what was imported with all others. The supervisor has neither threads nor a connection to PostgreSQL that could be
forked with it, and its one to Redis is never used by a child (redis-py looks at the pid).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from queueing.autoscaler.session import call_it, own_session

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True, eq=False)
class Fork:
    """end: the pipe's, which nobody else holds. It closes when it is told to leave, or when the supervisor is gone."""

    pid: int
    end: int | None
    _code: int | None = None

    def exit_code(self) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
                self.leave()
        return self._code

    def leave(self) -> None:
        if self.end is not None:
            os.close(self.end)
            self.end = None

    def kill(self) -> None:
        if self._code is None:  # not reaped: its pid is nobody else's
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


@dataclass(slots=True)
class Forking:
    """be: called with a group and the end of a pipe: be its consumer in this process until that closes."""

    be: Callable[[str, int], None]
    _forks: list[Fork] = field(default_factory=list)

    def start(self, group: str) -> Fork:
        sys.stdout.flush()  # or the child would say it once more
        read, write = os.pipe()
        # A signal between the fork and the child's own handlers would call the supervisor's.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            pid = os.fork()
            if not pid:
                os.close(write)
                self._be(group, read)
        except BaseException:
            os.close(write)
            raise
        finally:
            os.close(read)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        fork = Fork(pid, write)
        self._forks = [*(one for one in self._forks if one.end is not None), fork]
        return fork

    def _be(self, group: str, read: int) -> NoReturn:
        code = 1
        try:
            for one in self._forks:
                one.leave()  # in this process: or the others' pipes would stay open while this one lives
            signal.set_wakeup_fd(-1)
            for number in (*STOPPING, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            own_session()
            call_it(group)
            self.be(group, read)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
