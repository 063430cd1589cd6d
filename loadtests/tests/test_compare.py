"""The coupled shop is real, and the verdict over both shops is right even when it is bad."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from loadtests import compare, compare_report, spike_figures
from loadtests.compare_sides import answers_over_time
from loadtests.compare_verdict import rows, thresholds
from loadtests.coupled.running import Coupled, coupled_shop, frozen
from loadtests.lag import wait_until
from loadtests.machine import machine

QUICK = {"inventory": 20, "payment": 50, "logistics": 30}
RULE = {"number": 3, "name": "exactly once", "ok": True, "checked": 3, "offenders": []}


def order(shop: Coupled) -> tuple[int, float]:
    """Status and seconds."""
    began = time.monotonic()
    request = urllib.request.Request(f"{shop.url}/api/sales/7/orders", b'{"quantity":1}', method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, time.monotonic() - began
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, time.monotonic() - began


def test_an_order_takes_the_sum_of_its_calls_and_is_on_disk_in_each_service(tmp_path: Path) -> None:
    with coupled_shop(tmp_path, services=QUICK) as shop:
        status, seconds = order(shop)

        [placed] = shop.orders("completed")
        assert (status, shop.orders("failed")) == (202, set())
        assert seconds >= 0.1
        assert {name: shop.done_by(name) for name in QUICK} == {name: {placed} for name in QUICK}
    for name in (*QUICK, "shop"):
        assert json.loads((tmp_path / f"{name}.jsonl").read_text()) == {"order_id": placed}


def test_inventory_that_hangs_fails_every_order_and_deducts_for_them_afterwards(tmp_path: Path) -> None:
    with coupled_shop(tmp_path, services=QUICK, timeout_s=0.3) as shop:
        with frozen(shop.inventory_pids), ThreadPoolExecutor(3) as buyers:
            found = [status for status, _ in buyers.map(order, [shop] * 3)]

        assert found == [503] * 3
        assert shop.orders("completed") == set()
        failed = shop.orders("failed")
        wait_until(lambda: shop.done_by("inventory") == failed, within_s=10, what="not deducted")
        assert len(failed) == 3
        assert shop.done_by("payment") == set()


def line(number: int, *, ms: float, code: str | None = None) -> dict[str, Any]:
    fate = {"outcome": "info" if code else "ok", "code": code}
    return {**fate, "due_s": number / 20, "at_s": number / 20 + ms / 1000, "ms": ms, "order_id": str(number)}


def side(*, ms: float, code: str | None = None, at_once: int = 0, later: int = 0) -> dict[str, Any]:
    lines = [line(number, ms=ms, code=code) for number in range(20)]
    figures = spike_figures.of(lines, seconds=1)
    return figures | {
        "at_once": at_once, "later": later, "never": 20 - at_once - later, "over_time": answers_over_time(lines),
        "locust": [{"name": "any", "requests": 20, "failures": 0}], "shop_says": figures["admitted"],
        "funnel": spike_figures.funnel(figures),
    }  # fmt: skip


def judged(*, harm: tuple[str, str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """harm: which side, which of its figures, and what it is instead."""
    options = compare._options([])
    result = {
        "started_at": "2026-11-20T14:00:00+00:00", "scope": compare.SCOPE, "orders": 20, "rate": 20, "chain_ms": 1_000,
        "sides": {
            "coupled, all well": side(ms=1_005, at_once=20),
            "queue, all well": side(ms=8, at_once=15, later=5),
            "coupled, inventory stopped": side(ms=5_005, code="service_away"),
            "queue, inventory stopped": side(ms=8, later=20),
        },
        "deducted_in_vain": 20, "server": {"appended": 40}, "machine": machine(),
        "audit": {"rules": [RULE], "counts": {"attempt": 40}, "broken": 0},
    } | other  # fmt: skip
    if harm:
        result["sides"][harm[0]][harm[1]] = harm[2]
    result["rows"] = [row.as_json() for row in rows(result, options)]
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(each["ok"] for each in result["thresholds"])
    return result


def test_a_good_run_is_good() -> None:
    result = judged()

    assert result["ok"], [each for each in result["thresholds"] if not each["ok"]]
    assert "All held" in compare_report.page(result)
    assert "  ALL HELD" in list(compare_report.lines(result))
    [row] = result["rows"]
    assert (row["ours"], row["theirs"], row["reached"]) == (8.0, 1_000.0, True)  # three digits are told


@pytest.mark.parametrize(
    "harm",
    [
        {"harm": ("queue, all well", "p50_ms", 11.0)},
        {"harm": ("queue, all well", "later", 4)},
        {"harm": ("queue, inventory stopped", "admitted", 19)},
        {"harm": ("queue, inventory stopped", "at_once", 1)},
        {"harm": ("queue, inventory stopped", "later", 19)},
        {"harm": ("coupled, all well", "p50_ms", 900.0)},
        {"harm": ("coupled, all well", "errors", 1)},
        {"harm": ("coupled, all well", "shop_says", 19)},
        {"harm": ("coupled, inventory stopped", "locust", [])},
        {"server": {"appended": 39}},
        {"audit": {"rules": [{**RULE, "ok": False}], "counts": {}, "broken": 1}},
    ],
    ids=str,
)
def test_any_harm_makes_it_bad(harm: dict[str, Any]) -> None:
    result = judged(**harm)

    assert result["ok"] is False
    assert "Something did not hold" in compare_report.page(result)
    assert any(text.startswith("  BAD") for text in compare_report.lines(result))


def test_answers_add_up_over_time() -> None:
    found = answers_over_time([line(0, ms=400), line(1, ms=900), line(2, ms=700, code="service_away")])

    assert found == [{"s": 0.0, "yes": 0, "no": 0}, {"s": 0.5, "yes": 1, "no": 0}, {"s": 1.0, "yes": 2, "no": 1}]


def test_the_page_loads_nothing_and_has_the_charts() -> None:
    page = compare_report.page(judged())

    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    assert page.count("<svg") == page.count("</svg>") == 3  # percentiles, answers over time, funnel
