"""What a shopper makes of an answer."""

from __future__ import annotations

import pytest

from loadtests import answers

ORDER = '{"order_id": "0198", "token": "t", "price_cents": 4900}'


def test_yes_is_an_order_and_final() -> None:
    answer = answers.read(202, ORDER, None)
    assert (answer.outcome, answer.code, answer.again_s) == ("ok", None, None)
    assert answer.body["price_cents"] == 4900


@pytest.mark.parametrize(("status", "code"), [(409, "over_limit"), (403, "csrf_failed"), (404, "unknown_sale")])
def test_no_is_final_and_says_why(status: int, code: str) -> None:
    answer = answers.read(status, f'{{"error": {{"code": "{code}", "message": "…"}}}}', None)
    assert (answer.outcome, answer.code, answer.again_s) == ("fail", code, None)


def test_sold_out_is_a_no_that_is_final() -> None:
    answer = answers.read(200, '{"status": "sold_out", "left": 0, "message": "Sold out."}', None)
    assert (answer.outcome, answer.code, answer.again_s) == ("fail", "sold_out", None)


def test_a_full_queue_is_a_no_that_asks_to_come_back() -> None:
    answer = answers.read(429, '{"error": {"code": "queue_full", "message": "…"}}', "3")
    assert (answer.outcome, answer.code, answer.again_s) == ("fail", "queue_full", 3.0)


def test_a_paused_sale_is_a_no_that_asks_to_come_back() -> None:
    answer = answers.read(409, '{"error": {"code": "paused", "message": "…"}}', "5")
    assert (answer.outcome, answer.code, answer.again_s) == ("fail", "paused", 5.0)


@pytest.mark.parametrize(
    ("status", "text"),
    [(0, None), (503, '{"error": {"code": "unavailable", "message": "…"}}'), (502, "<html>"), (202, "cut off {")],
)
def test_what_nobody_knows_is_asked_again(status: int, text: str | None) -> None:
    answer = answers.read(status, text, None)
    assert answer.outcome == "info"
    assert answer.again_s == 1.0


@pytest.mark.parametrize(("said", "seconds"), [("0", 0.5), ("900", 10.0), ("soon", 1.0)])
def test_patience_has_its_limits(said: str, seconds: float) -> None:
    assert answers.read(503, None, said).again_s == seconds
