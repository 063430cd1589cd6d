"""The verdict must be right even when it is bad, and the page must need nothing from anywhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from loadtests import journey, report, summary
from loadtests.machine import machine

RULE = {"number": 3, "name": "exactly once", "ok": True, "checked": 3, "offenders": []}


@pytest.fixture
def result() -> dict[str, Any]:
    lines = [
        {"op": "place", "key": key, "outcome": outcome, "at": 1_000, "ms": 12.0, "code": code}
        for key, outcome, code in (("ada", "ok", None), ("bob", "fail", "sold_out"), ("cleo", "fail", "sold_out"))
    ]
    found = {
        "started_at": "2026-11-20T14:00:00+00:00", "seconds": 9.0, "scope": journey.SCOPE, "shoppers": 3, "stock": 1,
        **summary.of(lines), "over_time": summary.over_time(lines), "machine": machine(), "locust": [],
        "server": {"admitted": 1, "orders": 1, "sale": {"stock": 0}},
        "audit": {"rules": [RULE], "counts": {"attempt": 3, "lost": 0}, "broken": 0},
    }  # fmt: skip
    return _judged(found)


def _judged(result: dict[str, Any]) -> dict[str, Any]:
    thresholds = journey.thresholds(result)
    return {**result, "thresholds": thresholds, "ok": all(threshold["ok"] for threshold in thresholds)}


def test_a_good_run_is_good(result: dict[str, Any]) -> None:
    assert result["ok"] is True
    assert "All held" in report.page(result)


@pytest.mark.parametrize(
    "harm",
    [
        {"admitted": 2},
        {"admitted": 0},
        {"errors": 1},
        {"offered": 2},
        {"p99_ms": journey.P99_LIMIT_MS + 1},
        {"audit": {"rules": [{**RULE, "ok": False}], "counts": {}, "broken": 1}},
    ],
    ids=lambda harm: next(iter(harm)),
)
def test_any_harm_makes_it_bad(result: dict[str, Any], harm: dict[str, Any]) -> None:
    worse = _judged({**result, **harm})
    assert worse["ok"] is False
    assert ("Too slow" if "p99_ms" in harm else "Something broke") in report.page(worse)


def test_broken_rules_are_shown_with_their_offenders(result: dict[str, Any]) -> None:
    broken = {**RULE, "ok": False, "offenders": ["order <7>: lost"]}
    worse = {**result, "audit": {**result["audit"], "rules": [broken], "broken": 1}}
    assert "order &lt;7&gt;: lost" in report.page(worse)
    assert any("order <7>: lost" in line for line in report.lines(worse))


def test_the_page_loads_nothing(result: dict[str, Any]) -> None:
    page = report.page(result)
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    HTMLParser().feed(page)
    assert page.count("<svg") == page.count("</svg>") == 2


def test_it_says_what_it_does_not_show(result: dict[str, Any]) -> None:
    assert "does not show 100,000 requests a second" in report.page(result)
    assert list(report.lines(result))[-1] == journey.SCOPE
