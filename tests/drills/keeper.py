"""`python -m tests.drills.keeper FOLDER PORT REDIS_PORT`: the house's own supervisor over its own list of processes.

What a drill wants of it is said by files in FOLDER:

    crash/<process>   lines like `consume.read#2`: its next start is armed with the first of them
    hold/<process>    while it is there, the process is not started again
    pids/<process>    ours to write: who it is now
    notes/<process>   the process's own, written the moment it reaches its crash point

The supervisor's waits before a restart do not grow here: they calm a process that cannot start, and a drill kills many
that can.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from config.stack import leftovers
from config.stack.child import Child, Kept, KeptServer
from config.stack.foreground import ServerFailed
from config.stack.output import Output
from config.stack.processes import GROUPS, PREPARE, Process, processes
from config.stack.servers import Postgres, Server, Valkey
from config.stack.supervisor import Supervisor

BASE = Path(__file__).resolve().parents[2]
LEASE_S = 2
RESTART_AFTER_S = 0.2


class Drilled(Kept):
    """Mixed in before what is really started."""

    folder: Path

    def wait_before_restart(self, now: float) -> float:
        return RESTART_AFTER_S

    def spawn(self) -> None:
        if (self.folder / "hold" / self.name).exists():
            raise ServerFailed("the drill holds it down")
        super().spawn()
        note = self.folder / "pids" / self.name
        note.with_suffix(".new").write_text(str(self.pid))
        note.with_suffix(".new").rename(note)


class DrilledServer(Drilled, KeptServer):
    def __init__(self, folder: Path, server: Server, *, ends: int) -> None:
        super().__init__(server, ends=ends)
        self.folder = folder


class DrilledChild(Drilled, Child):
    def __init__(self, folder: Path, process: Process, **more: Any) -> None:
        lease = ("--lease", str(LEASE_S)) if process.name in GROUPS else ()
        super().__init__(process.name, [sys.executable, *process.arguments, *lease], ends=process.ends, **more)
        self.folder = folder
        self.unarmed = self._env

    def spawn(self) -> None:
        self._env = {**self.unarmed, **self._next_crash()}
        super().spawn()

    def _next_crash(self) -> dict[str, str]:
        wishes = self.folder / "crash" / self.name
        points = wishes.read_text().split() if wishes.exists() else []
        if not points:
            return {}
        wishes.write_text("\n".join(points[1:]))
        return {"SLUICE_CRASH_AT": points[0], "SLUICE_CRASH_NOTE": str(self.folder / "notes" / self.name)}


def main(folder: Path, port: int, redis_port: int) -> None:
    """Until a stop signal."""
    os.environ[leftovers.MARK] = str(folder)
    listed = processes(host="127.0.0.1", port=port, static=str(folder / "static"))
    output = Output(["postgres", "valkey", PREPARE.name, *(process.name for process in listed)])
    postgres, valkey = Postgres(folder / "postgres"), Valkey(folder / "valkey", port=redis_port)
    environment = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
    with Supervisor(output) as supervisor:
        supervisor.add(DrilledServer(folder, postgres, ends=3))
        supervisor.add(DrilledServer(folder, valkey, ends=2))
        supervisor.run(lambda: all(_is_ready(server) for server in (postgres, valkey)))
        prepare = Child(PREPARE.name, [sys.executable, *PREPARE.arguments], env=environment, cwd=BASE)
        if supervisor.run_once(prepare) == 0:
            for process in listed:
                supervisor.add(DrilledChild(folder, process, env=environment, cwd=BASE))
            supervisor.run()


def _is_ready(server: Server) -> bool:
    try:
        return server.is_ready()
    except ServerFailed:  # after a kill PostgreSQL may refuse once more: its last session is still leaving
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
