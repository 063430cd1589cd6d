"""The list of crash points is complete: the code passes exactly those, and the drill reaches each of them."""

from __future__ import annotations

import ast
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack.processes import GROUPS, processes
from queueing.crashpoint import CRASH_POINTS
from tests.drills import faults, points
from tests.drills.harness import BASE

APPS = ("config", "queueing", "shop", "orders", "inventory", "payments", "logistics", "notifications")


def passed_in_the_code() -> Iterator[str]:
    for path in (path for app in APPS for path in (BASE / app).rglob("*.py") if "tests" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "crashpoint":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}: not a plain name"
                yield node.args[0].value


def test_the_code_passes_each_point_of_the_list_and_no_other():
    assert set(passed_in_the_code()) == set(CRASH_POINTS)
    assert len(CRASH_POINTS) == len(set(CRASH_POINTS))


@pytest.mark.parametrize("seed", range(20))
def test_any_deal_reaches_every_point_and_a_thorough_one_each_with_every_process_that_passes_it(seed: int):
    def dealt(*, thorough: bool) -> set[tuple[str, str]]:
        plan = points.deal(random.Random(seed), thorough=thorough)
        return {(name, point.partition("#")[0]) for name, dealt_to in plan.items() for point in dealt_to}

    everyone = {(group, point) for group in GROUPS for point in points.CONSUME}
    everyone |= {(name, point) for name, own in points.OWN_POINTS.items() for point in own}
    assert {point for _, point in dealt(thorough=False)} == set(CRASH_POINTS) - set(points.ELSEWHERE)
    assert dealt(thorough=True) == everyone


def test_every_process_of_the_house_is_killed_by_some_drill():
    names = {process.name for process in processes(host="localhost", port=1, static="static")}
    assert {*faults.UPSTREAM, *faults.DOWNSTREAM, "web"} == {*names, *GROUPS}, "web_killed_in_a_burst has the web"


def test_the_note_of_a_crash_is_written_by_the_process_itself(tmp_path: Path):
    """Otherwise a drill that never reached its point would look like one that did."""
    note = tmp_path / "note"
    code = "from queueing.crashpoint import *\nfor _ in range(3): print(_, flush=True); crashpoint('consume.read')"
    environment = {**os.environ, "SLUICE_CRASH_AT": "consume.read#2", "SLUICE_CRASH_NOTE": str(note)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=BASE, env=environment, stdout=subprocess.PIPE) as died:
        said, _ = died.communicate(timeout=20)
    assert died.returncode == -signal.SIGKILL
    assert said.split() == [b"0", b"1"]
    assert note.read_text() == f"consume.read {died.pid}\n"
