"""`python -m queueing.faults.thaw PID SECONDS`: let the process that started us go on, after so long at the latest.

Earlier when the key FAULT of REDIS_URL is gone, as somebody ended the fault; and when we are told to end ourselves.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import redis

POLL_S = 0.1
ANSWER_WITHIN_S = 0.5


def main(pid: int, seconds: float, *, redis_url: str, fault: str) -> None:
    ends_at = time.monotonic() + seconds
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: ended.append(number))
    client = redis.Redis.from_url(redis_url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S)
    print("ready", flush=True)
    # A process that was killed is not our parent any more, and its number may be somebody else's.
    while os.getppid() == pid and not ended and time.monotonic() < ends_at and _acts(client, fault):
        time.sleep(POLL_S)
    # Again and again until it goes on and ends us: the first may come before it has stopped itself.
    while os.getppid() == pid:
        os.kill(pid, signal.SIGCONT)
        time.sleep(POLL_S)


def _acts(client: Any, fault: str) -> bool:
    try:
        return bool(client.exists(fault))
    except redis.RedisError:
        return True  # nobody knows: the clock decides


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), redis_url=os.environ["REDIS_URL"], fault=os.environ["FAULT"])
