"""`make spike` and `make shoppers` themselves, small, on one shop of their own that leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.env import Env
from config.stack import nginx
from loadtests.stack import BASE, Stack, shop

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A shop whose gateway lets few orders through."""
    own = tempfile.mkdtemp(prefix="spike-")  # others may run spikes beside us
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PORT", "1")  # nobody answers there
        environment.delenv("BASE_URL", raising=False)
        environment.setenv("TMPDIR", own)
        environment.setattr(tempfile, "tempdir", None)
        environment.setenv("ORDERS_RATE", "400")
        environment.setenv("ORDERS_BURST", "100")
        for limit in ("USER_RATE", "ADDRESS_RATE", "SIGN_IN_RATE"):  # as a shop has them
            environment.setenv(limit, str(Env.model_fields[limit.lower()].default))
        with shop(show=Path(own)) as stack:
            yield stack
        assert [p for p in psutil.process_iter() if own in " ".join(_command(p))] == []
        assert list(Path(own).glob("sluice-*")) == []
    shutil.rmtree(own)


def run(stack: Stack, reports: Path, *arguments: str) -> dict[str, Any]:
    """The JSON of a load test that held."""
    ran = subprocess.run(
        [sys.executable, "-m", "loadtests", *arguments, "--p99-ms", "60000", "--reports", reports],
        cwd=BASE, env={**stack.environment, "BASE_URL": stack.url}, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "All held" in (reports / f"{arguments[0]}.html").read_text()
    return dict(json.loads((reports / f"{arguments[0]}.json").read_text()))


def test_two_thousand_orders_in_a_second_sell_what_the_limits_and_the_stock_allow(stack: Stack, tmp_path: Path) -> None:
    sizes = ("--rate", "2000", "--stock", "60", "--connections", "300", "--processes", "2", "--answered-within", "60")
    result = run(stack, tmp_path, "spike", *sizes)

    assert (result["offered"], result["answered"], result["offered_seconds"]) == (2_000, 2_000, 1.0)
    assert (result["admitted"], result["errors"]) == (60, 0)
    assert result["shed"] > 0
    assert result["shed"] + result["sold_out"] + result["limited"] == 1_940
    assert result["audit"]["counts"]["attempt"] == 2_000
    assert (result["server"]["requests"] is None) == (nginx.program() is None)
    assert {name for each in result["thresholds"] for name in each} == {"name", "value", "limit", "ok"}


def test_shoppers_who_log_in_and_pay_buy_exactly_the_stock(stack: Stack, tmp_path: Path) -> None:
    result = run(stack, tmp_path, "shoppers", "--shoppers", "8", "--stock", "3", "--starts-in", "3")

    assert (result["offered"], result["admitted"], result["sold_out"]) == (8, 3, 5)
    assert result["audit"]["broken"] == 0


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
