"""The load tests themselves, small, on one shop of their own that leaves nothing behind."""

from __future__ import annotations

import json
import os
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
AT_LENGTH = pytest.mark.skipif("DRILL_SCALE" not in os.environ, reason="half a minute each: `make drills` runs them")


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


def run(stack: Stack, reports: Path, *arguments: str, missed: str = "") -> dict[str, Any]:
    """The JSON of a load test that held; or missed this one threshold."""
    ran = subprocess.run(
        [sys.executable, "-m", "loadtests", *arguments, "--reports", reports],
        cwd=BASE, env={**stack.environment, "BASE_URL": stack.url}, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert ran.returncode == (1 if missed else 0), ran.stdout + ran.stderr
    assert ("All held" in (reports / f"{arguments[0]}.html").read_text()) is not bool(missed)
    result = dict(json.loads((reports / f"{arguments[0]}.json").read_text()))
    assert [each["name"] for each in result["thresholds"] if not each["ok"]] == ([missed] if missed else [])
    return result


def test_two_thousand_orders_in_a_second_sell_what_the_limits_and_the_stock_allow(stack: Stack, tmp_path: Path) -> None:
    sizes = (
        "--rate",
        "2000",
        "--stock",
        "60",
        "--connections",
        "300",
        "--processes",
        "2",
        "--answered-within",
        "60",
        "--p99-ms",
        "60000",
        "--rehearsal",
        "0",
    )
    result = run(stack, tmp_path, "spike", *sizes)

    assert (result["offered"], result["answered"], result["offered_seconds"]) == (2_000, 2_000, 1.0)
    assert (result["admitted"], result["errors"]) == (60, 0)
    assert result["shed"] > 0
    assert result["shed"] + result["sold_out"] + result["limited"] == 1_940
    assert result["audit"]["counts"]["attempt"] == 2_000
    assert (result["server"]["requests"] is None) == (nginx.program() is None)
    assert {name for each in result["thresholds"] for name in each} == {"name", "value", "limit", "ok"}


@AT_LENGTH
def test_one_request_at_a_time_on_each_connection_after_a_rehearsal_that_is_in_the_audit(
    stack: Stack, tmp_path: Path
) -> None:
    sizes = ("--unpipelined", "--rate", "400", "--stock", "40", "--connections", "20", "--rehearsal", "100")
    result = run(stack, tmp_path, "spike", *sizes, "--answered-within", "60", "--p99-ms", "60000")

    assert (result["offered"], result["answered"], result["errors"]) == (400, 400, 0)
    assert result["admitted"] + result["shed"] + result["sold_out"] + result["limited"] == 400
    assert result["generator"]["pipelined"] is False
    assert result["audit"]["counts"]["attempt"] == 500, "the rehearsal's too"
    assert [row["unit"] for row in result["rows"]] == ["s", "ms"]


def test_shoppers_who_log_in_and_pay_buy_exactly_the_stock(stack: Stack, tmp_path: Path) -> None:
    result = run(
        stack, tmp_path, "shoppers", "--shoppers", "8", "--stock", "3", "--starts-in", "3", "--p99-ms", "60000"
    )

    assert (result["offered"], result["admitted"], result["sold_out"]) == (8, 3, 5)
    assert result["audit"]["broken"] == 0


@AT_LENGTH
def test_a_drained_queue_is_judged_by_its_formula_and_a_missed_threshold_is_the_exit_code(
    stack: Stack, tmp_path: Path
) -> None:
    sizes = ("--orders", "300", "--fill-rate", "300", "--within-pct", "1e6", "--connections", "32", "--rest", "60")
    result = run(stack, tmp_path, "drain", *sizes, "--p99-ms", "0.001", missed="p99 of the acknowledgement, ms")

    assert (result["orders"], result["admitted"], result["errors"]) == (300, 300, 0)
    capped = result["drains"]["capped"]
    assert (capped["peak"], capped["formula_s"], capped["points"][-1]["backlog"]) == (300, 0.3, 0)
    assert result["audit"]["counts"]["ok"] == 300
    assert {row["name"] for row in result["rows"]} == {"300 orders at 1,000/s", "p99 answer at 300 orders/s"}
    caps = {group["group"]: (group["paused"], group["caps"]) for group in _groups(stack)}
    assert caps["orders"] == (False, {"orders.placed": 1000.0, "orders.events": 1000.0})


@AT_LENGTH
def test_both_shops_get_the_same_orders_and_only_the_queue_completes_them_later(stack: Stack, tmp_path: Path) -> None:
    result = run(stack, tmp_path, "compare", "--rate", "10", "--seconds", "1", "--ratio", "1", "--settle", "30")

    without = result["sides"]["coupled, inventory stopped"]
    assert (without["admitted"], without["later"], without["never"]) == (0, 0, 10)
    assert result["deducted_in_vain"] == 10
    queue = result["sides"]["queue, inventory stopped"]
    assert (queue["admitted"], queue["at_once"], queue["later"]) == (10, 0, 10)
    assert result["audit"]["counts"]["ok"] == 20


def _groups(stack: Stack) -> list[dict[str, Any]]:
    return list(json.loads(stack.manage("queue", "groups", "--json"))["groups"])


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
