from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.stack import leftovers
from config.stack.tests.conftest import ended

IGNORES_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)


def start(folder: Path, code: str = IGNORES_CTRL_C) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, leftovers.MARK: str(folder)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


def test_what_a_killed_stack_left_is_found_by_its_folder_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "POLITE_S", 0.2)
    ours, others = start(tmp_path / "ours"), start(tmp_path / "others")
    try:
        assert [process.pid for process in leftovers.running(tmp_path / "ours")] == [ours.pid]

        assert leftovers.end(tmp_path / "ours") == 1

        assert ended(ours.pid)
        assert others.poll() is None
        assert leftovers.running(tmp_path / "ours") == []
    finally:
        for process in (ours, others):
            process.kill()
            process.wait()


def test_ci_fails_and_names_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = start(tmp_path)
    try:
        assert leftovers.main(tmp_path) == 1
        assert str(process.pid) in capsys.readouterr().err
    finally:
        process.kill()
        process.wait()
    assert leftovers.main(tmp_path) == 0
