"""A consumer process stops itself, by SIGSTOP, and goes on when the fault's time is over.

A process that stands still cannot wake itself. So it first starts a child that will (thaw.py), and hears from it that
it watches the clock; whatever happens to the web, to Redis or to a supervisor then, the child lets it go on.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from queueing import keys
from queueing.faults.fault import Fault, Kind
from queueing.faults.weather import Weather

logger = logging.getLogger("queueing.faults")

BEGIN_WITHIN_S = 5.0  # the child is up by then, or nothing is frozen
ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Freezing:
    """redis_url: where the child looks whether somebody ended the fault early."""

    weather: Weather
    redis: Any
    redis_url: str
    _obeyed: str = field(default="", init=False)

    def look(self) -> None:
        """Stand still if the fault names this process; returns when its time is over."""
        fault = self.weather.of(Kind.FREEZE)
        if fault is None or fault.id == self._obeyed:
            return
        if (fault.host, fault.pid) != (socket.gethostname(), os.getpid()):
            return
        self._obeyed = fault.id
        try:
            left_ms = self.redis.pttl(keys.fault(Kind.FREEZE, fault.group))
        except RedisError:
            return
        if left_ms > 0:
            self._freeze(fault, left_ms / 1000)

    def _freeze(self, fault: Fault, seconds: float) -> None:
        command = [sys.executable, "-m", "queueing.faults.thaw", str(os.getpid()), str(seconds)]
        environment = {**os.environ, "REDIS_URL": self.redis_url, "FAULT": keys.fault(Kind.FREEZE, fault.group)}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as child:
            if not _says_something(child):
                child.kill()
                logger.error("not frozen: there would be nobody to let this process go on")
                return
            logger.warning("stands still for %.1f s, as %s wanted", seconds, fault.by or "somebody")
            os.kill(os.getpid(), signal.SIGSTOP)
            child.kill()  # it goes on saying so until then
        logger.warning("goes on")
        self.weather.count(fault, thawed=1)


def _says_something(child: subprocess.Popen[bytes]) -> bool:
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], BEGIN_WITHIN_S)
    return bool(ready) and bool(child.stdout.readline())
