from __future__ import annotations

import re
import signal
import sys
import time

import pytest

from config.stack.tests.conftest import Toy, ended, kill, pid_in, until

# Says its pid, then waits; a polite signal ends it with a word.
POLITE = """
import os, signal, sys
def leave(*_):
    print("leaving"); sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("here", os.getpid())
while True: signal.pause()
"""
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("grandchild", grandchild.pid)
print("here", os.getpid())
while True: signal.pause()
"""
LEAVES_ITS_CHILD = """
import os, signal, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("grandchild", grandchild.pid)
print("here", os.getpid())
while True: signal.pause()
"""


def test_every_line_carries_the_name_of_its_process(toy: Toy) -> None:
    stack = toy(("orders", POLITE, 1), ("celery", "print('one'); print('two', flush=True); " + POLITE, 1))

    line = stack.line("two")

    assert re.fullmatch(r"\d\d:\d\d:\d\d celery \| two", line)


def test_a_terminal_gets_colours_and_a_file_does_not(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[" in toy(("orders", POLITE, 1), terminal=True).line("here")
    assert "\x1b[" not in toy(("orders", POLITE, 1)).line("here")


def test_a_killed_process_is_started_again_and_its_neighbour_is_left_alone(toy: Toy) -> None:
    stack = toy(("web", POLITE, 0))
    first = pid_in(stack.line("web", "here"))

    kill(first)

    assert "killed by SIGKILL" in stack.line("sluice", "web ended", "starting it again")
    assert pid_in(stack.line("web", "here")) != first


def test_who_fails_again_and_again_is_started_less_and_less_often(toy: Toy) -> None:
    stack = toy(("relay", "raise SystemExit(3)", 1))

    waits = [re.search(r"exit code 3.* in ([\d.]+) s", stack.line("starting it again")) for _ in range(4)]

    assert [float(wait[1]) for wait in waits if wait] == [0.2, 0.4, 0.8, 1.6]


def test_what_a_killed_process_leaves_behind_ends_with_it(toy: Toy) -> None:
    """granian's worker would otherwise keep the port that the restarted granian needs."""
    stack = toy(("web", LEAVES_ITS_CHILD, 0))
    grandchild = pid_in(stack.line("grandchild"))

    kill(pid_in(stack.line("here")))

    until(lambda: ended(grandchild))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_web_ends_first_then_the_workers_then_the_servers(toy: Toy, number: signal.Signals) -> None:
    stack = toy(("valkey", POLITE, 2), ("orders", POLITE, 1), ("web", POLITE, 0))
    for _ in range(3):
        stack.line("here")

    stack.process.send_signal(number)

    leaving = [line for line in stack.rest() if "leaving" in line]
    assert [line.split()[1] for line in leaving] == ["web", "orders", "valkey"]
    assert stack.process.returncode == 0


def test_a_stubborn_process_and_its_children_are_killed_when_their_time_is_over(toy: Toy) -> None:
    stack = toy(("celery", STUBBORN, 1), grace_s=(0.2, 0.2))
    grandchild, child = pid_in(stack.line("grandchild")), pid_in(stack.line("here"))

    stack.process.terminate()

    assert any("celery did not end in time: killed" in line for line in stack.rest())
    assert ended(child)
    until(lambda: ended(grandchild))


def test_a_second_ctrl_c_hurries(toy: Toy) -> None:
    stack = toy(("celery", STUBBORN, 1), grace_s=(600, 600))
    stack.line("here")
    stack.process.send_signal(signal.SIGINT)
    stack.line("stopping")
    asked = time.monotonic()

    # Signals that come in one breath are one wish, so ask until it is heard.
    until(lambda: stack.process.poll() is not None or stack.process.send_signal(signal.SIGINT))

    assert time.monotonic() - asked < 10


def test_a_signal_told_twice_in_one_breath_is_one_wish(toy: Toy) -> None:
    """`make` passes SIGTERM on to a child that had it from its process group already."""
    slow = POLITE.replace('print("leaving")', 'import time; time.sleep(1); print("left in peace")')
    stack = toy(("orders", slow, 1), grace_s=(600, 600))
    stack.line("here")

    stack.process.terminate()
    stack.process.terminate()

    assert any("left in peace" in line for line in stack.rest())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's farewell signal is Linux's")
def test_children_do_not_outlive_a_killed_supervisor(toy: Toy) -> None:
    stack = toy(("orders", POLITE, 1), ("relay", POLITE, 1))
    children = [pid_in(stack.line("here")) for _ in range(2)]

    kill(stack.process.pid)

    until(lambda: all(map(ended, children)))


def test_the_stack_ends_when_nobody_reads_it_any_more(toy: Toy) -> None:
    """`make up | head`: the pipe is closed, and the next line has nowhere to go."""
    talks = "import time\nwhile True: print('still here', flush=True); time.sleep(0.05)"
    stack = toy(("web", talks, 0))
    stack.line("still here")
    assert stack.process.stdout is not None

    stack.close_output()

    assert stack.process.wait(20) == 0
