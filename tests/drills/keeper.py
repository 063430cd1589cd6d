"""`python -m tests.drills.keeper FOLDER PORT REDIS_PORT`: the house's own supervisor over its own list of processes.

What a drill wants of it is said by files in FOLDER:

    crash/<process>   lines like `consume.read#2`: its next start is armed with the first of them
    hold/<process>    while it is there, the process is not started again
    pids/<process>    ours to write: who it is now
    notes/<process>   the process's own, written the moment it reaches its crash point

A group's name stands for its one consumer, which is the autoscaler's child: flock.py does the same for those.

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
from config.stack.processes import AUTOSCALER, PREPARE, Process, processes
from config.stack.servers import Postgres, Server, Valkey
from config.stack.supervisor import Supervisor
from tests.drills.flock import RESTART_AFTER_S, next_crash, note_pid

BASE = Path(__file__).resolve().parents[2]


class Drilled(Kept):
    """Mixed in before what is really started."""

    folder: Path

    def wait_before_restart(self, now: float) -> float:
        return RESTART_AFTER_S

    def spawn(self) -> None:
        if (self.folder / "hold" / self.name).exists():
            raise ServerFailed("the drill holds it down")
        super().spawn()
        note_pid(self.folder, self.name, self.pid)


class DrilledServer(Drilled, KeptServer):
    def __init__(self, folder: Path, server: Server, *, ends: int) -> None:
        super().__init__(server, ends=ends)
        self.folder = folder


class DrilledChild(Drilled, Child):
    def __init__(self, folder: Path, process: Process, **more: Any) -> None:
        drilled = ("-m", "tests.drills.flock", str(folder)) if process.name == AUTOSCALER else process.arguments
        super().__init__(process.name, [sys.executable, *drilled], ends=process.ends, **more)
        self.folder = folder
        self.unarmed = self._env

    def spawn(self) -> None:
        self._env = {**self.unarmed, **next_crash(self.folder, self.name)}
        super().spawn()


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
