"""From lines to figures."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests import summary


def line(key: str, outcome: str, *, at: int = 1_000, ms: float = 10.0, code: str | None = None) -> dict[str, Any]:
    return {"op": "place", "key": key, "outcome": outcome, "at": at, "ms": ms, "code": code}


def test_a_wish_counts_once_however_often_it_was_retried() -> None:
    figures = summary.of(
        [
            line("ada", "info", code="unavailable"),
            line("ada", "ok"),
            line("bob", "fail", code="queue_full"),
            line("bob", "fail", code="sold_out"),
            line("cleo", "info", code="http_0"),
            line("dan", "fail", code="csrf_failed"),
        ]
    )
    assert (figures["offered"], figures["answered"], figures["attempts"]) == (4, 3, 6)
    assert (figures["admitted"], figures["sold_out"], figures["unknown"]) == (1, 1, 1)
    assert figures["errors"] == 2  # Cleo never heard, Dan was turned away for no reason of the sale's
    assert figures["refusals"] == {"csrf_failed": 1}


def test_a_yes_stays_a_yes_whatever_comes_after() -> None:
    assert summary.of([line("ada", "ok"), line("ada", "info")])["admitted"] == 1


def test_percentiles_are_values_that_were_measured() -> None:
    waited = [float(number) for number in range(1, 101)]
    assert (summary.percentile(waited, 0.5), summary.percentile(waited, 0.99)) == (50.0, 99.0)
    assert summary.percentile([7.0], 0.99) == 7.0
    assert summary.percentile([], 0.5) == 0.0


def test_waiting_for_nothing_is_no_latency() -> None:
    assert summary.of([line("ada", "info", ms=10_000), line("ada", "ok", ms=20)])["p99_ms"] == 20


def test_answers_lie_where_they_were_given() -> None:
    points = summary.over_time([line("ada", "ok", at=1_010, ms=10), line("bob", "fail", at=1_220, code="sold_out")])
    assert [point["s"] for point in points] == pytest.approx([0.0, 0.1, 0.2])
    assert [(point["admitted"], point["sold_out"]) for point in points] == [(1, 0), (0, 0), (0, 1)]
