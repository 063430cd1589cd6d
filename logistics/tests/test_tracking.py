"""A tracking number read out over the telephone is right or known to be wrong."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logistics.tracking import ALPHABET, is_tracking_number, new_tracking_number

PLACES = [at for at, symbol in enumerate("SL-XXXX-XXXX-XXXX-C") if symbol in "XC"]


def test_looks_like_one():
    assert re.fullmatch(r"SL(-[2-9A-HJKMNP-Z]{4}){3}-[2-9A-HJKMNP-Z]", new_tracking_number())
    assert len(ALPHABET) == 31
    assert not set("01ILO") & set(ALPHABET)


def test_a_thousand_are_all_different_and_valid():
    numbers = {new_tracking_number() for _ in range(1_000)}
    assert len(numbers) == 1_000
    assert all(map(is_tracking_number, numbers))


def test_case_and_hyphens_do_not_matter():
    number = new_tracking_number()
    assert is_tracking_number(number.lower().replace("-", " "))


@given(st.sampled_from(PLACES), st.sampled_from(ALPHABET))
def test_any_one_wrong_symbol_is_noticed(at, symbol):
    number = new_tracking_number()
    assume(number[at] != symbol)
    assert not is_tracking_number(number[:at] + symbol + number[at + 1 :])


@given(st.sampled_from(PLACES[:-1]), st.sampled_from(PLACES[:-1]))
def test_any_two_exchanged_symbols_are_noticed(one, other):
    number = list(new_tracking_number())
    assume(number[one] != number[other])
    number[one], number[other] = number[other], number[one]
    assert not is_tracking_number("".join(number))


@pytest.mark.parametrize(
    "text", ["", "SL", "SL-0000-0000-0000-0", "SL-2222-2222-2222", "SL-2222-2222-2222-22", "\u0662" * 13, "ß" * 13]
)
def test_other_text_is_no_number(text):
    assert not is_tracking_number(text)
