"""The watchdog in a process of its own: it ends what hangs, and says where, whoever holds the interpreter's lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from queueing.message import Delivery, Message
from queueing.middleware.deadline import deadline

ROOT = Path(__file__).resolve().parents[2]
HANGS = {
    "sleep": "import time; time.sleep(60)",
    "loop": "while True: pass",
    "C code that holds the interpreter's lock": "import ctypes; ctypes.PyDLL(None).sleep(60)",
    "a lock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
}
PROGRAM = """
import sys
from queueing.tests.test_deadline import kettles, watched
def simmer(batch):
    {hang}
watched(6, lambda batch: None)
print("in time", flush=True)
watched(6, simmer)
"""


def kettles(count: int) -> list[Delivery]:
    names = [f"kettle-{number}" for number in range(count)]
    return [Delivery(Message(name, "shelf", name, "shop.Boiled", 1, b"{}", 0), "0", "0-0") for name in names]


def watched(count: int, following) -> None:
    deadline("cooks", 0.2)(kettles(count), following)


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_a_handler_that_hangs_ends_its_process_and_says_where(hang: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(hang=hang)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )

    assert (done.returncode, done.stdout) == (1, "in time\n")
    assert "group 'cooks', deadline 0.2 s, 6 message(s): shop.Boiled kettle-0, shop.Boiled kettle-1" in done.stderr
    assert "shop.Boiled kettle-3 and 2 more" in done.stderr
    assert "in simmer" in done.stderr


def test_a_handler_that_raises_is_not_ended_later() -> None:
    cancelled: list[str] = []

    class Alarm:
        def set(self, seconds: float) -> None:
            cancelled.append(f"set {seconds}")

        def cancel(self) -> None:
            cancelled.append("cancel")

    with pytest.raises(ValueError, match="cracked"):
        deadline("cooks", 3, alarm=Alarm())(kettles(1), _crack)

    assert cancelled == ["set 3", "cancel"]


def _crack(batch: object) -> None:
    raise ValueError("cracked")
