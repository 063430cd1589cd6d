"""A real Celery worker on this test's database and on a Valkey of its own, which a test may stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection


class Process:
    """A Celery worker or beat. `output` is what it has printed so far."""

    def __init__(self, what: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "celery", "--quiet", "-A", "config.celery", *what],
                env={**environment, "PYTHONPATH": str(settings.BASE_DIR)},
                cwd=log.parent,  # where it may leave files, and a test would see them
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def stop(self, *, timeout_s: float = 10) -> float:
        """SIGTERM; returns the seconds it took. Raises TimeoutExpired when it took longer than `timeout_s`."""
        began = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        self.popen.wait(timeout_s)
        return time.monotonic() - began


WORKER = ["worker", "--without-gossip", "--without-mingle", "--without-heartbeat"]
BEAT = ["beat"]


@contextmanager
def running(what: list[str], log: Path, **environment: str) -> Iterator[Process]:
    process = Process(what, log, environment_of_the_test(**environment))
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait()


def environment_of_the_test(**more: str) -> dict[str, str]:
    """This process's environment, with DATABASE_URL naming the database of the test."""
    server, _, query = os.environ["DATABASE_URL"].partition("?")
    name = connection.settings_dict["NAME"]
    return {**os.environ, "DATABASE_URL": f"{server.rsplit('/', 1)[0]}/{name}?{query}", **more}


def wait_until(true: Callable[[], object], *, within_s: float = 20, otherwise: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
