"""`python -m tests.drills.diner.mother`: a warmed process that forks consumers; each start from cold costs a second.

stdin: one JSON object a line, {"name", "log", "environment", "keep"}. keep: start another when it ends, as a supervisor
does, until {"name", "dismiss": true} ends it for good. stdout: one a line, {"name", "pid"} for each that was started
and {"name", "pid", "status"} for each that ended. She has opened no connection before she forks. When her stdin ends,
she kills whom she started.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

Order = dict[str, Any]


def main() -> None:
    import django

    django.setup()
    from queueing.management.commands import consume  # noqa: F401  (warm)

    wake_read, wake_write = socket.socketpair()
    for end in (wake_read, wake_write):
        end.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    alive: dict[int, Order] = {}
    unread = b""
    try:
        while True:
            ready, _, _ = select.select([0, wake_read], [], [])
            if wake_read in ready:
                wake_read.recv(4096)
                for pid, status in _ended():
                    order = alive.pop(pid)
                    _say(name=order["name"], pid=pid, status=os.waitstatus_to_exitcode(status))
                    if order.get("keep"):
                        _start(order, alive)
            if 0 in ready:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    if order.get("dismiss"):
                        _dismiss(order["name"], alive)
                    else:
                        _start(order, alive)
    finally:
        for pid in alive:
            os.kill(pid, signal.SIGKILL)


def _ended() -> list[tuple[int, int]]:
    found = []
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    return found


def _start(order: Order, alive: dict[int, Order]) -> None:
    pid = os.fork()
    if not pid:
        _be_a_consumer(order)
    alive[pid] = order
    _say(name=order["name"], pid=pid)


def _dismiss(name: str, alive: dict[int, Order]) -> None:
    for pid, order in alive.items():
        if order["name"] == name:
            order["keep"] = False
            os.kill(pid, signal.SIGKILL)


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def _be_a_consumer(order: Order) -> None:
    """As `manage.py consume waiters` does; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(order["environment"])
        from queueing import crashpoint

        importlib.reload(crashpoint)  # it reads where to die when it is imported
        from django.core.management import call_command

        call_command("consume", "waiters")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.drills.diner.settings"
    main()
