from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.templatetags.sluice import instant, money, spell, time_left

NOON = datetime(2030, 5, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cents", "text"), [(4900, "€49.00"), (5, "€0.05"), (123456789, "€1,234,567.89"), (-250, "-€2.50")]
)
def test_money_is_written_from_integer_cents(cents, text):
    assert money(cents) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (184, "03:04"), (7384, "02:03:04"), (93784, "1 d 02:03:04")]
)
def test_time_left_is_spelled(seconds, text):
    assert spell(seconds) == text


@pytest.mark.parametrize(
    ("ahead", "text"),
    [(timedelta(seconds=89.2), "01:30"), (timedelta(microseconds=1), "00:01"), (timedelta(0), "00:00")],
)
def test_a_countdown_shows_nothing_left_only_when_nothing_is_left(ahead, text):
    assert f">{text}<" in time_left(NOON + ahead, NOON)


def test_a_moment_that_is_over_counts_no_further():
    assert ">00:00<" in time_left(NOON - timedelta(hours=1), NOON)


def test_an_instant_is_utc_without_a_script_and_exact_for_one():
    html = instant(NOON, "medium")

    assert 'datetime="2030-05-01T12:00:00.000+00:00"' in html
    assert ">1 May 2030, 12:00:00 UTC<" in html
