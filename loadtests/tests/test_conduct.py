"""What a load test leaves and how it exits, whatever its run came to."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from loadtests import conduct
from loadtests.stack import Stack, StackFailed


@pytest.fixture(autouse=True)
def managed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A shop, and what `manage.py` was asked for."""
    asked: list[tuple[str, ...]] = []

    def manage(_: Stack, *arguments: str) -> str:
        asked.append(arguments)
        return "kept"

    monkeypatch.setattr(conduct, "shop", lambda show: nullcontext(Stack("http://nowhere", {})))
    monkeypatch.setattr(conduct.signal, "signal", lambda *_: None)
    monkeypatch.setattr(Stack, "manage", manage)
    return asked


def conducted(reports: Path, run: Any) -> int:
    return conduct.conduct("flood", run, reports=reports, lines=lambda result: [str(result)], page=str)


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_verdict_is_the_exit_code_and_both_reports_are_written(
    tmp_path: Path, ok: bool, code: int, managed: list[tuple[str, ...]]
) -> None:
    assert conducted(tmp_path / "new", lambda _: {"ok": ok}) == code
    [(command, name, *_)] = managed
    assert (command, name) == ("load_run", "flood"), "the operator's charts can show it again"

    assert json.loads((tmp_path / "new" / "flood.json").read_text()) == {"ok": ok}
    assert (tmp_path / "new" / "flood.html").read_text() == str({"ok": ok})


@pytest.mark.parametrize(("problem", "code"), [(StackFailed("no passes"), 1), (KeyboardInterrupt(), 130)])
def test_a_run_without_a_verdict_is_no_success_and_leaves_no_report(
    tmp_path: Path, problem: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: Stack) -> dict[str, Any]:
        raise problem

    assert conducted(tmp_path, run) == code

    assert capsys.readouterr().err.startswith("flood: ")
    assert list(tmp_path.iterdir()) == []
