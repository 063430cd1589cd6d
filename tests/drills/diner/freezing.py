"""DINER_FREEZE=<where>: this process stops by SIGSTOP, once, when it comes there. The test sends SIGCONT."""

from __future__ import annotations

import faulthandler
import os
import signal

PLACES = (
    "handler",  # in its transaction
    "handler-unwatched",  # the same, and its watchdog sleeps longer than it does
    "ack",  # committed, not acknowledged
    "bury",  # its last attempt failed, not buried
)


def freeze(where: str) -> None:
    wanted = os.environ.get("DINER_FREEZE", "")
    if wanted.partition("-")[0] != where:
        return
    assert wanted in PLACES, wanted
    del os.environ["DINER_FREEZE"]
    if wanted == "handler-unwatched":
        faulthandler.cancel_dump_traceback_later()
    os.kill(os.getpid(), signal.SIGSTOP)
