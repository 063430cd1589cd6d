"""The shop under load: one that runs already, or one of our own on a spare port with a folder that is thrown away."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

BASE = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 120.0
GONE_WITHIN_S = 20.0


class StackFailed(Exception):
    """The shop did not start, or one of its commands failed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Stack:
    """url: where the shop answers. environment: what its commands must see to find its servers. alone: nobody else
    comes to it."""

    url: str
    environment: Mapping[str, str]
    alone: bool = False

    def manage(self, *arguments: str, accept: range = range(1)) -> str:
        """What `manage.py …` prints.

        Raises:
            StackFailed: it exited with something else than `accept`.
        """
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=BASE, env=dict(self.environment), capture_output=True, text=True, check=False
        )
        if done.returncode not in accept:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise StackFailed(f"manage.py {arguments[0]} exited with {done.returncode}: {last}")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`manage.py …`, running; its lines come by `stdout`."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=BASE, env=dict(self.environment), stdout=subprocess.PIPE, text=True)

    def get(self, path: str, *, token: str = "") -> dict[str, Any]:
        """A JSON answer; empty when there is none. token: of an order."""
        return ask(self.url, path, {"Authorization": f"Bearer {token}"} if token else {})[1]


def address() -> str:
    """BASE_URL, or here at PORT: as the environment says, or `.env`, or the shop that `make up` runs in DATA_DIR."""
    said = {**dotenv_values(BASE / ".env"), **os.environ}
    noted = dotenv_values(BASE / (said.get("DATA_DIR") or ".data") / "stack.env")  # there while it runs
    return said.get("BASE_URL") or f"http://127.0.0.1:{said.get('PORT') or noted.get('PORT') or '8000'}"


@contextlib.contextmanager
def shop(*, show: Path) -> Iterator[Stack]:
    """The shop at `address` if it answers, otherwise our own. show: the folder for our own stack's log."""
    url = address()
    if is_well(url):
        print(f"The shop at {url} answers; its load is on top of what it has.", flush=True)
        yield Stack(url, os.environ)
        return
    if os.environ.get("BASE_URL"):
        raise StackFailed(f"BASE_URL is {url}, and /healthz there does not say that all is well")
    with _own(show / "stack.log") as stack:
        yield stack


@contextlib.contextmanager
def _own(log: Path) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-load-"))
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "DATA_DIR": str(folder / "data"), "CARRIER_STEP_S": "5"}
    for variable in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SELF_URL"):
        environment.pop(variable, None)
    url = f"http://127.0.0.1:{port}"
    print(f"No shop answers at {address()}, so one is started at {url} (log: {log})", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.stack"], cwd=BASE, env=environment, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_well(url, process, log)
        yield Stack(url, environment, alone=True)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GONE_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def is_well(url: str) -> bool:
    return ask(url, "/healthz")[0] == http.HTTPStatus.OK


def _wait_until_well(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if is_well(url):
            return
        if process.poll() is not None:
            break
        time.sleep(0.3)
    last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    raise StackFailed(f"the shop did not become well within {READY_WITHIN_S:.0f} s: {last} (log: {log})")


def ask(url: str, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=3)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        found = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()
    return response.status, found if isinstance(found, dict) else {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
