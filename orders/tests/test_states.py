"""The graph of an order: as data, as drawn in the docs, and as orders really go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.states import ALLOWED, BIRTH, TERMINAL, Status, can_still_reach, is_path, sources

DOCS = Path(__file__).parents[2] / "docs" / "orders.md"


def test_the_chart_in_the_docs_is_the_graph_in_the_code():
    chart = DOCS.read_text().split("```mermaid")[1].split("```")[0]
    arrows = re.findall(r"^\s*(\[\*\]|\w+) --> (\[\*\]|\w+)", chart, re.MULTILINE)

    drawn = {(BIRTH if frm == "[*]" else frm, to) for frm, to in arrows if to != "[*]"}
    ends = {frm for frm, to in arrows if to == "[*]"}

    assert drawn == {(frm, str(to)) for frm, nexts in ALLOWED.items() for to in nexts}
    assert ends == {str(status) for status in TERMINAL}


def test_the_docs_name_the_event_behind_every_step():
    from orders import handlers

    text = DOCS.read_text()
    for event in handlers.SUBSCRIPTION.handlers:
        assert event.wire in text, event.wire


def test_every_status_can_be_reached_from_birth():
    assert {status for status in Status if can_still_reach(BIRTH, [status])} == set(Status)


def test_the_graph_has_no_way_back():
    assert [status for status in Status if can_still_reach(status, [status])] == []


@pytest.mark.parametrize(
    ("statuses", "is_one"),
    [
        (["created", "confirmed", "paid", "shipped", "delivered"], True),
        (["created", "rejected"], True),
        (["created", "confirmed", "expired"], True),
        ([], True),
        (["confirmed"], False),
        (["created", "paid"], False),
        (["created", "confirmed", "expired", "paid"], False),
        (["created", "created"], False),
    ],
)
def test_a_history_is_a_path_or_not(statuses, is_one):
    assert is_path(statuses) is is_one


@given(st.lists(st.sampled_from(list(Status)), max_size=8))
def test_moving_only_along_the_graph_makes_a_path(wishes):
    """Whatever order the steps are asked for in, taking only allowed ones gives a path with no status twice."""
    status, history = BIRTH, []
    for wish in wishes:
        if status in sources(wish):
            status = wish
            history.append(wish)
    assert is_path(history)
    assert len(history) == len(set(history))
