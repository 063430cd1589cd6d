"""A whole house of a drill's own, from durable servers to beat, and the hands that make its bad weather."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from config.stack import leftovers
from config.stack.ready import unwell
from config.stack.servers import Postgres
from config.stack.valkey import free_port
from loadtests.history import History

BASE = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0
POLL_S = 0.05


def until(condition: Callable[[], Any], what: str, *, within_s: float = 60.0) -> Any:
    """What `condition` returns as soon as it is true; AssertionError naming `what` when that takes too long."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what() if callable(what) else what}"
        time.sleep(POLL_S)
    return found


class House:
    """Started by `start`, ended by `close`; both ends only what belongs to this folder.

    sales: ids, in the order of the stocks it was opened with. sessions: shopper → session key.
    passes: sale → shopper → pass.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-drill-")).resolve()
        for name in ("crash", "hold", "pids", "notes"):
            (self.folder / name).mkdir()
        self.port, self.redis_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = Postgres(self.folder / "postgres").url
        self.history_path = self.folder / "history.jsonl"
        self.history = History(self.history_path)
        self.sales: list[int] = []
        self.sessions: dict[str, str] = {}
        self.passes: dict[int, dict[str, str]] = {}
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DATA_DIR": str(self.folder),
            "PORT": str(self.port),
            "SELF_URL": self.url,
            "PYTHONUNBUFFERED": "1",
            # Parcels stay on the road, or the house would not come to rest while the audit looks.
            "CARRIER_STEP_S": "3600",
            "FAULT_ROOM": "true",
        }
        self.keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until everything is well."""
        command = [sys.executable, "-m", "tests.drills.keeper", *map(str, (self.folder, self.port, self.redis_port))]
        with self.log_path.open("ab") as log:
            self.keeper = subprocess.Popen(
                command, cwd=BASE, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_until_well()

    def open(self, *, shoppers: int, stocks: Iterable[int]) -> None:
        """People who are logged in, and a sale that runs for each stock."""
        made = json.loads(self.run("-m", "tests.drills.opening", str(shoppers), *map(str, stocks)))
        self.sessions = made["sessions"]
        self.passes = {int(sale): passes for sale, passes in made["passes"].items()}
        self.sales = [sale["sale"] for sale in made["sales"]]
        for sale in made["sales"]:
            until(lambda sale=sale: self.left(sale["sale"]) == sale["stock"], f"sale {sale['sale']} open")

    def left(self, sale: int) -> int | None:
        """Units in the gate, as the shop shows everybody; None while it does not know."""
        with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(f"{self.url}/api/sales/{sale}") as answer:
            return json.load(answer).get("stock")
        return None

    def status(self, order: dict[str, Any]) -> str | None:
        """What the API says of an order to whoever has its token."""
        asked = urllib.request.Request(
            f"{self.url}/api/orders/{order['order_id']}", headers={"Authorization": f"Bearer {order['token']}"}
        )
        with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(asked) as answer:
            return json.load(answer).get("status")
        return None

    def close(self) -> None:
        """At once: nothing here is kept, and how the house ends politely is tests/test_stack.py's question."""
        if self.keeper is not None:
            self.kill_everything(but_ask_postgres=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log_path(self) -> Path:
        return self.folder / "keeper.log"

    def last_words(self, lines: int = 40) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def wait_until_well(self, *, within_s: float = READY_WITHIN_S) -> None:
        until(
            lambda: self._keeper_lives() and not unwell(self.port),
            lambda: f"{', '.join(unwell(self.port))} unwell\n{self.last_words()}",
            within_s=within_s,
        )

    def _keeper_lives(self) -> bool:
        assert self.keeper is not None
        assert self.keeper.poll() is None, f"the keeper ended:\n{self.last_words()}"
        return True

    def process(self, name: str) -> psutil.Process:
        """Who has this name now; never a stranger that was given its number."""
        process = psutil.Process(int((self.folder / "pids" / name).read_text()))
        if process.environ().get(leftovers.MARK) != str(self.folder):
            raise psutil.NoSuchProcess(process.pid)
        return process

    def hit(self, name: str, number: signal.Signals = signal.SIGKILL) -> psutil.Process:
        """Send a signal to the process of this name, as soon as there is one. Returns whom it hit."""

        def send() -> psutil.Process | None:
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                process = self.process(name)
                process.send_signal(number)
                return process
            return None

        return until(send, lambda: f"{name} does not run\n{self.last_words()}")

    def wait_until_ended(self, process: psutil.Process, *, within_s: float = 20) -> None:
        def has_ended() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):
                return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
            return True

        until(has_ended, f"{process.pid} goes on", within_s=within_s)

    @contextlib.contextmanager
    def held(self, name: str) -> Any:
        """While inside, the process of this name is not started again. Afterwards it runs."""
        hold = self.folder / "hold" / name
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()
        until(lambda: self._runs(name), lambda: f"{name} does not run again\n{self.last_words()}")

    def _runs(self, name: str) -> bool:
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            return self.process(name).status() != psutil.STATUS_ZOMBIE
        return False

    def arm(self, name: str, points: Sequence[str]) -> None:
        """Its next lives end at these crash points, one life each. The present life goes on."""
        (self.folder / "notes" / name).unlink(missing_ok=True)
        (self.folder / "crash" / name).write_text("\n".join(points))

    def reached(self, name: str) -> list[str]:
        """The crash points where this process has left its note since it was armed, in order."""
        note = self.folder / "notes" / name
        # A line is `point pid`. Two threads may both be at the point when their process dies; that is one death.
        deaths = dict.fromkeys(note.read_text().splitlines()) if note.exists() else {}
        return [line.split()[0] for line in deaths]

    def kill_everything(self, *, but_ask_postgres: bool = False) -> int:
        """Every process of the house, both servers and the supervisor, by SIGKILL; returns how many.

        but_ask_postgres: a killed one leaves shared memory behind, which only its next start tidies up.
        """
        assert self.keeper is not None
        self.keeper.send_signal(signal.SIGSTOP)  # or it would start again whom we kill first
        victims = leftovers.running(self.folder)
        for process in victims:
            with contextlib.suppress(psutil.Error):
                polite = but_ask_postgres and process.name() == "postgres"
                process.send_signal(signal.SIGINT if polite else signal.SIGKILL)
        self.keeper.kill()
        self.keeper.wait()
        psutil.wait_procs(victims, timeout=20)
        return 1 + len(victims)

    def run(self, *arguments: str, accept: Sequence[int] | None = (0,)) -> str:
        """What `python ...` prints, run in the house's environment."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=BASE, env=self.environment, capture_output=True, text=True, check=False)
        assert accept is None or done.returncode in accept, f"{arguments}: {done.returncode}: {done.stderr[-2000:]}"
        return done.stdout
