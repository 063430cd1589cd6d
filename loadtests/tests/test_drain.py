"""The formula beside what was measured, and the verdict over it, which must be right even when it is bad."""

from __future__ import annotations

import re
from typing import Any

import pytest

from loadtests import drain, drain_report, spike_figures
from loadtests.counters import Taken
from loadtests.drain_figures import MOST_POINTS, drained, thinned
from loadtests.drain_verdict import rows, thresholds
from loadtests.lag import Sample
from loadtests.machine import machine

RULE = {"number": 3, "name": "exactly once", "ok": True, "checked": 3, "offenders": []}


def emptying(*, per_s: int, orders: int = 2_000, waits_s: int = 1) -> tuple[list[Sample], list[int]]:
    """Samples ten times a second of orders that came in one second, waited, and were worked off; and when they came."""
    came = [1_000 + number * 1_000 // orders for number in range(1, orders + 1)]
    samples, at_ms = [], 900
    while not samples or samples[-1].lag or at_ms < 2_000:
        appended = sum(at <= at_ms for at in came)
        acked = min(orders, max(0, at_ms - 2_000 - waits_s * 1_000) * per_s // 1_000)
        samples.append(Sample(at_ms, appended, acked, appended - acked))
        at_ms += 100
    return samples, came


def test_consumers_that_keep_to_their_cap_keep_to_the_formula() -> None:
    samples, came = emptying(per_s=1_000)

    found = drained(samples, admitted_ms=came, cap_per_s=1_000)

    assert (found.peak, found.empty_s, found.formula_s) == (2_000, 2.0, 2.0)
    assert (found.off_pct, found.deviation_pct) == (0.0, 0.0)
    assert found.points[-1] == {"s": pytest.approx(4.0, abs=0.01), "backlog": 0, "formula": 0}


def test_slower_consumers_are_off_the_formula_by_as_much() -> None:
    samples, came = emptying(per_s=800)

    found = drained(samples, admitted_ms=came, cap_per_s=1_000)

    assert (found.empty_s, found.off_pct) == (2.5, 25.0)
    assert found.deviation_pct == pytest.approx(20, abs=0.5)  # when the formula is empty, a fifth still waits


def test_without_a_cap_the_rate_is_what_they_came_to() -> None:
    samples, came = emptying(per_s=4_000)

    found = drained(samples, admitted_ms=came, cap_per_s=None)

    assert (found.empty_s, found.per_s, found.off_pct) == (0.5, 4_000.0, 0.0)


def test_a_queue_that_is_never_empty_has_no_time() -> None:
    samples, came = emptying(per_s=1_000)

    found = drained(samples[:-2], admitted_ms=came, cap_per_s=1_000)

    assert (found.peak, found.empty_s, found.formula_s) == (2_000, None, 2.0)


def test_a_chart_has_few_points_and_the_last() -> None:
    found = thinned([{"s": float(n)} for n in range(5_001)])

    assert len(found) <= MOST_POINTS + 1
    assert (found[0]["s"], found[-1]["s"]) == (0.0, 5_000.0)


def line(number: int) -> dict[str, Any]:
    return {"outcome": "ok", "code": None, "due_s": number / 1_000, "at_s": number / 1_000 + 0.004, "ms": 4.0}


def judged(arguments: tuple[str, ...] = (), *, per_s: int = 1_000, **harm: Any) -> dict[str, Any]:
    options = drain._options(["--orders", "2000", *arguments])
    samples, came = emptying(per_s=per_s)
    modes = ["others paused", "all running"] if options.uncapped else ["capped"]
    cap = None if options.uncapped else 1_000
    count = 2_000 * len(modes)
    result = {
        "started_at": "2026-11-20T14:00:00+00:00", "scope": drain.SCOPE, "orders": 2_000, "fill_per_s": 2_500,
        **spike_figures.of([line(number) for number in range(count)], seconds=1), "machine": machine(),
        "drains": {mode: drained(samples, admitted_ms=came, cap_per_s=cap).as_json() for mode in modes},
        "alone": True, "server": {"requests": count, "appended": count, "left": 0},
        "locust": [{"name": "admitted", "requests": count, "failures": 0}],
        "audit": {"rules": [RULE], "counts": {"attempt": count}, "broken": 0},
    } | harm  # fmt: skip
    result["funnel"] = spike_figures.funnel(result)
    result["rows"] = [row.as_json() for row in rows(result, options)]
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(each["ok"] for each in result["thresholds"])
    return result


@pytest.mark.parametrize("arguments", [(), ("--uncapped",)])
def test_a_good_run_is_good(arguments: tuple[str, ...]) -> None:
    result = judged(arguments)

    assert result["ok"], [each for each in result["thresholds"] if not each["ok"]]
    assert "All held" in drain_report.page(result)
    assert "  ALL HELD" in list(drain_report.lines(result))
    assert {name for row in result["rows"] for name in row} == {
        "name", "unit", "ours", "against", "theirs", "ratio", "target", "reached",
    }  # fmt: skip


@pytest.mark.parametrize(
    "harm",
    [
        {"per_s": 970},
        {"arguments": ("--uncapped",), "per_s": 400},
        {"p99_ms": 21.0},
        {"admitted": 1_999},
        {"errors": 1},
        {"server": {"requests": 2_000, "appended": 1_999, "left": 0}},
        {"server": {"requests": 2_000, "appended": 2_000, "left": 1}},
        {"server": {"requests": 2_001, "appended": 2_000, "left": 0}},
        {"locust": []},
        {"audit": {"rules": [{**RULE, "ok": False}], "counts": {}, "broken": 1}},
    ],
    ids=str,
)
def test_any_harm_makes_it_bad(harm: dict[str, Any]) -> None:
    result = judged(**harm)

    assert result["ok"] is False
    assert "Something did not hold" in drain_report.page(result)
    assert any(text.startswith("  BAD") for text in drain_report.lines(result))


def test_a_queue_that_stays_full_is_bad_and_still_has_a_page() -> None:
    samples, came = emptying(per_s=1_000)
    never = drained(samples[:-2], admitted_ms=came, cap_per_s=1_000).as_json()

    result = judged(drains={"capped": never})

    assert "capped: the queue was empty in the end" in {e["name"] for e in result["thresholds"] if not e["ok"]}
    assert "never empty" in drain_report.page(result)


def test_the_page_loads_nothing_and_has_the_charts() -> None:
    page = drain_report.page(judged())

    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    assert page.count("<svg") == page.count("</svg>") == 3  # backlog, percentiles, funnel


def test_the_gateways_count_is_compared_without_what_the_shop_asks_it_and_a_request_too_few_is_seen() -> None:
    assert Taken(1_009, house_at_most=9).by_others(1_000) == 1_000
    assert Taken(1_010, house_at_most=9).by_others(1_000) == 1_010
    assert Taken(999, house_at_most=9).by_others(1_000) == 999
    assert Taken(None, house_at_most=9).by_others(1_000) is None
