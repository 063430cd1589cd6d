"""`make spike` itself, small: it starts a shop of its own, fills it, audits it, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from loadtests.stack import BASE


@pytest.mark.drill
def test_a_small_spike_sells_exactly_its_stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")  # nobody answers there
    monkeypatch.delenv("BASE_URL", raising=False)
    monkeypatch.setenv("TMPDIR", own := tempfile.mkdtemp(prefix="spike-"))  # others may run spikes beside us
    ran = subprocess.run(
        [sys.executable, "-m", "loadtests", "--shoppers", "8", "--stock", "3", "--starts-in", "3",
         "--p99-ms", "60000", "--reports", tmp_path],  # a crowded machine is slow, and still right
        cwd=BASE, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads((tmp_path / "spike.json").read_text())
    assert (result["offered"], result["admitted"], result["sold_out"]) == (8, 3, 5)
    assert result["audit"]["broken"] == 0
    assert result["audit"]["counts"]["ok"] == 3
    assert "All held" in (tmp_path / "spike.html").read_text()
    assert [p for p in psutil.process_iter() if own in " ".join(_command(p))] == []
    assert list(Path(own).iterdir()) == []
    Path(own).rmdir()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
