"""The verdict of a spike must be right even when it is bad, and the page must need nothing from anywhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from loadtests import spike_figures, spike_report, spike_run
from loadtests.machine import machine
from loadtests.spike_verdict import thresholds

RULE = {"number": 3, "name": "exactly once", "ok": True, "checked": 3, "offenders": []}


def line(number: int, code: str | None, *, at_s: float | None) -> dict[str, Any]:
    due_s = number / 1_000
    facts = {"due_s": due_s, "code": code, "outcome": "fail" if code else "ok"}
    return facts | ({"at_s": at_s, "ms": (at_s - due_s) * 1000} if at_s is not None else {"outcome": "info"})


LINES = [
    *(line(number, None, at_s=0.010) for number in range(5)),
    *(line(number, "busy", at_s=0.021) for number in range(5, 15)),
    *(line(number, "sold_out", at_s=0.030) for number in range(15, 20)),
]


def judged(**harm: Any) -> dict[str, Any]:
    options = spike_run._options(["--rate", "1000", "--seconds", "0.02", "--stock", "5"])
    result = {
        "started_at": "2026-11-20T14:00:00+00:00", "scope": spike_run.SCOPE, "stock": 5,
        **spike_figures.of(LINES, seconds=0.02), "over_time": spike_figures.over_time(LINES),
        "alone": True, "server": {"requests": 20, "appended": 5, "left": 0}, "machine": machine(),
        "locust": [{"name": name, "requests": n, "failures": 0} for name, n in (("admitted", 5), ("busy", 15))],
        "audit": {"rules": [RULE], "counts": {"attempt": 20}, "broken": 0},
        "backlog": [{"s": 0.5, "backlog": 5, "formula": 4}, {"s": 1.0, "backlog": 0, "formula": 0}],
    } | harm  # fmt: skip
    result["funnel"] = spike_figures.funnel(result)
    result["thresholds"] = thresholds(result, options)
    result["ok"] = all(each["ok"] for each in result["thresholds"])
    return result


def test_a_good_run_is_good() -> None:
    result = judged()
    assert result["ok"], [each for each in result["thresholds"] if not each["ok"]]
    assert "All held" in spike_report.page(result)
    assert "  ALL HELD" in list(spike_report.lines(result))


def test_other_visitors_of_a_shop_that_runs_already_are_no_fault() -> None:
    seen_by_gateway = {"requests": 32, "appended": 5, "left": 0}

    assert judged(alone=False, server=seen_by_gateway)["ok"]
    assert not judged(alone=True, server=seen_by_gateway)["ok"]
    assert not judged(alone=False, server={**seen_by_gateway, "requests": 19})["ok"]


@pytest.mark.parametrize(
    "harm",
    [
        {"offered": 19},
        {"answered": 19},
        {"answered_seconds": 0.6},
        {"errors": 1},
        {"admitted": 6},
        {"admitted": 4},
        {"p99_ms": 301.0},
        {"server": {"requests": 20, "appended": 4, "left": 0}},
        {"server": {"requests": 20, "appended": 5, "left": 1}},
        {"server": {"requests": 21, "appended": 5, "left": 0}},
        {"locust": []},
        {"audit": {"rules": [{**RULE, "ok": False}], "counts": {}, "broken": 1}},
    ],
    ids=str,
)
def test_any_harm_makes_it_bad(harm: dict[str, Any]) -> None:
    result = judged(**harm)
    assert result["ok"] is False
    assert "Something did not hold" in spike_report.page(result)
    assert any(text.startswith("  BAD") for text in spike_report.lines(result))


def test_more_than_the_limit_could_let_through_is_noticed() -> None:
    many = judged(admitted=260, stock=1_000, answered_seconds=0.001, sold_out=0)
    assert "admitted: orders rate * time + burst" in {each["name"] for each in many["thresholds"] if not each["ok"]}


def test_without_nginx_its_count_is_not_asked_for() -> None:
    result = judged(server={"requests": None, "appended": 5, "left": 0})
    assert result["ok"]
    assert "no nginx" in spike_report.page(result)


def test_the_page_loads_nothing_and_has_the_charts() -> None:
    page = spike_report.page(judged())
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", page)
    HTMLParser().feed(page)
    assert page.count("<svg") == page.count("</svg>") == 3


def test_it_says_what_it_does_not_show() -> None:
    assert list(spike_report.lines(judged()))[-1] == spike_run.SCOPE
    assert "does not test 100,000 TCP" in spike_report.page(judged())


def test_figures_count_from_the_intended_send() -> None:
    figures = spike_figures.of(LINES, seconds=0.02)
    assert (figures["offered"], figures["admitted"], figures["shed"], figures["sold_out"]) == (20, 5, 10, 5)
    assert (figures["p50_ms"], figures["p99_ms"]) == (8.0, 10.0)
    assert figures["answered_seconds"] == 0.03


def test_who_got_no_answer_is_an_error_and_nobody_elses_latency() -> None:
    figures = spike_figures.of([*LINES, line(20, None, at_s=None)], seconds=0.021)
    assert (figures["offered"], figures["answered"], figures["errors"]) == (21, 20, 1)
    assert figures["answers"]["no_answer"] == 1


def test_requests_and_answers_lie_where_they_belong() -> None:
    points = spike_figures.over_time(LINES)
    assert [point["offered"] for point in points] == [10, 10, 0, 0]
    assert [point["admitted"] for point in points] == [0, 5, 0, 0]
    assert (points[2]["shed"], points[3]["sold_out"]) == (10, 5)


def test_the_backlog_is_what_came_less_what_the_cap_allows() -> None:
    points = [{"s": 0.0, "admitted": 100.0}, {"s": 0.1, "admitted": 100.0}]
    assert spike_figures.formula(points, [0.05, 0.1, 0.2, 9], worked_off_per_s=1_000) == pytest.approx([50, 100, 0, 0])


@pytest.mark.parametrize(("value", "shown"), [(123.456, 123.0), (0.0123456, 0.0123), (99_990.0, 100_000.0), (0.0, 0.0)])
def test_three_digits_and_no_more(value: float, shown: float) -> None:
    assert spike_figures.digits(value) == shown
