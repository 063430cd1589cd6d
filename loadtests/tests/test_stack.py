"""Which shop a load test finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import stack


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of our own, and an environment that names no shop."""
    for name in ("BASE_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(stack, "BASE", tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "second"))
    (tmp_path / "second").mkdir()
    return tmp_path


def test_the_data_folder_alone_names_the_shop_that_runs_in_it(elsewhere: Path) -> None:
    (elsewhere / "second" / "stack.env").write_text("REDIS_URL='redis://127.0.0.1:1'\nPORT='8701'\n")

    assert stack.address() == "http://127.0.0.1:8701"


def test_the_environment_overrules_the_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "second" / "stack.env").write_text("PORT='8701'\n")

    monkeypatch.setenv("PORT", "8702")
    assert stack.address() == "http://127.0.0.1:8702"
    monkeypatch.setenv("BASE_URL", "https://shop.example")
    assert stack.address() == "https://shop.example"


def test_a_file_of_settings_names_the_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR")
    (elsewhere / ".env").write_text("DATA_DIR=second\n")
    (elsewhere / "second" / "stack.env").write_text("PORT='8701'\n")

    assert stack.address() == "http://127.0.0.1:8701"


def test_without_any_of_them_it_is_where_make_up_puts_it() -> None:
    assert stack.address() == "http://127.0.0.1:8000"
