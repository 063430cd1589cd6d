"""`python -m config.stack`, as `make up` runs it: the real house, on a port and a data folder of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config.stack import leftovers, nginx
from config.stack.processes import GROUPS
from config.stack.ready import unwell
from config.stack.servers import Postgres, Valkey
from config.stack.tests.conftest import Watched, until
from config.stack.valkey import free_port

pytestmark = pytest.mark.drill

READY_WITHIN_S = 60.0
ENDED_WITHIN_S = 15.0
Start = Callable[..., Watched]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a stack; what it was given by the tests' own servers is taken away."""
    started: list[tuple[Watched, Path]] = []

    def run(folder: Path, port: int, **servers: str) -> Watched:
        env = {"DATA_DIR": str(folder), "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": ""}
        env |= servers | {"CARRIER_STEP_S": "0.2"}
        started.append((Watched([sys.executable, "-m", "config.stack"], env=env), folder))
        return started[-1][0]

    yield run
    for stack, folder in started:
        stack.close()
        leftovers.end(folder)


def stop(stack: Watched, number: signal.Signals = signal.SIGTERM) -> float:
    """Seconds until everything had ended."""
    began = time.monotonic()
    stack.process.send_signal(number)
    stack.rest(within_s=60)
    return time.monotonic() - began


def named(folder: Path, *words: str) -> psutil.Process:
    """The leading process of this stack that is called so, or has these words in its command."""
    return next(
        process
        for process in leftovers.running(folder)
        if all(word in (process.name(), *process.cmdline()) for word in words) and os.getsid(process.pid) == process.pid
    )


@pytest.fixture
def place() -> Iterator[Path]:
    """Not pytest's folder: as root nginx has an account of its own, and pytest keeps others out of its folders."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-stack-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_life_of_the_stack(place: Path, start: Start) -> None:
    """One start serves many questions, since each costs seconds."""
    folder, port = place / "data folder", free_port()
    stack = start(folder, port)
    stack.line("Sluice is ready", within_s=READY_WITHIN_S)
    block = [
        stack.line("Shop"),
        stack.line("log in as ada"),
        stack.line("Admin"),
        stack.line("the password of all three is"),
    ]

    # It ends its start-up with what a visitor needs, and the admin's password is nobody's default.
    assert f"http://127.0.0.1:{port}/" in block[0]
    password = (folder / "admin_password").read_text().strip()
    assert password in block[3]
    assert len(password) >= 16
    assert (folder / "admin_password").stat().st_mode & 0o077 == 0
    assert (folder / "secret_key").stat().st_mode & 0o077 == 0

    # Every process says its name.
    prefixes = {found[1] for line in stack.lines if (found := re.match(r"\d\d:\d\d:\d\d (\w+) +\| ", line))}
    assert {"web", "relay", "prepare", "autoscaler"} <= prefixes
    assert all(any(f" {group}-" in line and " reads " in line for line in stack.lines) for group in GROUPS)

    # Static files need no Django.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/static/sluice.css")
    assert connection.getresponse().status == 200
    connection.close()

    # Whoever comes second is told why not, in one line.
    assert_refused(start(folder, free_port()), "Another Sluice", f"port {port}", "DATA_DIR=")
    assert_refused(start(place / "other", port), f"Port {port} cannot be used", "PORT=")

    # What dies comes back: a consumer, the autoscaler with its consumers, the web with its worker, and a server.
    for words in (["orders"], ["autoscaler"], ["granian"], ["-D", str(folder / "postgres")]):
        before = named(folder, *words)
        before.kill()
        until(lambda words=words, before=before: named_again(folder, before, *words))
    until(lambda: unwell(port) == [], within_s=READY_WITHIN_S)

    # So does the gateway, whole: a worker of the old one would still hold the port.
    if nginx.program():
        before = next(process for process in leftovers.running(folder) if process.name() == "nginx")
        before.kill()
        until(lambda: any(p.name() == "nginx" and p != before for p in leftovers.running(folder)))
        until(lambda: unwell(port) == [], within_s=READY_WITHIN_S)

    # Another copy runs beside it.
    beside = start(place / "beside", free_port())
    beside.line("Sluice is ready", within_s=READY_WITHIN_S)
    assert unwell(port) == []
    assert stop(beside, signal.SIGINT) < ENDED_WITHIN_S
    assert leftovers.running(place / "beside") == []

    # A SIGKILL of the supervisor leaves nothing for long, and the next start is whole and quick.
    stack.process.kill()
    began = time.monotonic()
    again = start(folder, port)
    again.line("Sluice is ready", within_s=READY_WITHIN_S)
    assert time.monotonic() - began < 30, "15 s on an idle machine"
    assert json.loads((folder / "VERSION").read_text())["postgres"] == "18"

    # The end is complete and in time.
    assert stop(again) < ENDED_WITHIN_S
    assert again.process.returncode == 0
    assert leftovers.running(folder) == []
    assert not (folder / "stack.env").exists()


def test_a_stack_on_servers_of_somebody_else(tmp_path: Path, start: Start) -> None:
    """It brings none of its own, works on those it was pointed at, and lets them be when it ends."""
    theirs = [Postgres(tmp_path / "their postgres"), Valkey(tmp_path / "their valkey")]
    with contextlib.ExitStack() as cleanup:
        for server in theirs:
            cleanup.callback(server.stop)
            server.spawn()
        for server in theirs:
            server.wait_until_ready()
        folder, port = tmp_path / "data", free_port()
        stack = start(folder, port, DATABASE_URL=theirs[0].url, REDIS_URL=theirs[1].url)
        stack.line("Sluice is ready", within_s=READY_WITHIN_S)
        assert not (folder / "postgres").exists()
        assert not (folder / "valkey").exists()

        # One purchase goes all the way, and the books agree.
        env = {**os.environ, "DATA_DIR": str(folder)}
        for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
            env.pop(name, None)  # as the stack left them in its folder
        for command in (["tests/ci_purchase.py", f"http://127.0.0.1:{port}"], ["manage.py", "audit"]):
            subprocess.run([sys.executable, *command], env=env, check=True, timeout=90)

        assert stop(stack) < ENDED_WITHIN_S
        assert leftovers.running(folder) == []
        assert all(server.is_ready() for server in theirs)


def named_again(folder: Path, before: psutil.Process, *words: str) -> bool:
    try:
        return named(folder, *words) != before
    except (StopIteration, psutil.Error, ProcessLookupError):
        return False


def assert_refused(stack: Watched, *words: str) -> None:
    lines = stack.rest()
    assert stack.process.returncode == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("sluice: ")
    assert all(word in lines[0] for word in words), lines[0]
