"""`make up` on a machine where it cannot: one line that says what to do, exit code 1, nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.env import Env
from config.stack import leftovers
from config.stack.tests.conftest import BASE
from config.stack.valkey import free_port


def refusal(data_dir: Path, **variables: str) -> str:
    """The one line that the stack says."""
    env = {"DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": "", "DATA_DIR": str(data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "config.stack"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=BASE,
        env={**os.environ, **env, "PORT": str(free_port()), **variables},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert leftovers.running(data_dir) == []
    (line,) = done.stderr.splitlines()
    return line.removeprefix("sluice: ")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        assert refusal(tmp_path, PORT=str(port)).startswith(f"Port {port} cannot be used")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "eighty"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "-1"), ("PAYMENT_DUE_S", "0")],
)
def test_a_variable_that_makes_no_sense_is_named(tmp_path: Path, variable: str, value: str) -> None:
    assert refusal(tmp_path, **{variable: value}).startswith(f"The environment is wrong. {variable}: ")


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert refusal(tmp_path / "file" / "data").startswith("Cannot write to ")


def test_a_data_folder_whose_name_is_two_lines(tmp_path: Path) -> None:
    assert refusal(tmp_path / "two\nlines").startswith("PostgreSQL can't work in ")


def test_a_data_folder_without_a_name_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "")

    assert Env().data_dir == ".data"


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="root on Linux has a folder that refuses even it"
)
def test_a_data_folder_without_write_access() -> None:
    """To root every permission is given, so: a file system where nobody may make a folder."""
    assert "Cannot write to /proc/sluice" in refusal(Path("/proc/sluice"))


def test_data_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text('{"postgres": "17"}')

    assert "made by postgres 17, this is postgres 18. Move it away" in refusal(tmp_path)


def test_servers_of_ones_own_that_do_not_answer(tmp_path: Path) -> None:
    assert refusal(tmp_path, DATABASE_URL="postgresql://127.0.0.1:9/shop").startswith(
        "DATABASE_URL (127.0.0.1) does not"
    )
