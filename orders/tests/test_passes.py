"""A pass holds for one buyer, session and sale, for a while, and only as it was made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import passes, tokens
from orders.passes import BadPass
from orders.seals import Seal
from orders.tests.test_tokens import RECEIPT

NOW_S = 1_790_000_000.0
HERS = {"sale_id": 7, "session_key": "annas-session"}


def annas_pass() -> str:
    return passes.issue(user_id=101, now_s=NOW_S, **HERS)[0]


def test_a_pass_says_who_holds_it():
    assert passes.check(annas_pass(), now_s=NOW_S, **HERS) == (101, True)


def test_it_holds_until_its_end_and_not_a_second_longer(settings):
    settings.PASS_LASTS_S = 600
    text, expires_s = passes.issue(user_id=101, now_s=NOW_S, **HERS)

    assert expires_s == NOW_S + 600
    assert passes.check(text, now_s=NOW_S + 599.9, **HERS) == (101, True)
    assert passes.check(text, now_s=NOW_S + 600, **HERS) == (101, False)


@pytest.mark.parametrize("other", [{"sale_id": 8}, {"session_key": "boriss-session"}, {"session_key": ""}])
def test_another_sale_or_session_is_refused(other):
    with pytest.raises(BadPass):
        passes.check(annas_pass(), now_s=NOW_S, **(HERS | other))


def test_any_changed_character_is_refused():
    text = annas_pass()
    for place, character in enumerate(text):
        for other in {chr(ord(character) ^ 1), "0", "A", ".", "é", ""} - {character}:
            with pytest.raises(BadPass):
                passes.check(text[:place] + other + text[place + 1 :], now_s=NOW_S, **HERS)


def test_no_field_flows_into_its_neighbour():
    """User 10, sale 17 is not user 101, sale 7."""
    key_id, user, sale, expires, mac = annas_pass().split(".")
    for fields in ((user[:-1], user[-1] + sale, expires), (user + sale[0], sale[1:], expires), (user, sale + expires)):
        with pytest.raises(BadPass):
            passes.check(".".join([key_id, *fields, mac]), now_s=NOW_S, sale_id=17, session_key="annas-session")


@given(st.text(max_size=300))
def test_rubbish_is_refused(text):
    with pytest.raises(BadPass):
        passes.check(text, now_s=NOW_S, **HERS)


def test_what_is_sealed_for_another_purpose_is_no_pass():
    bound = passes.bound_to("annas-session")
    lookalike = Seal("orders.something-else", fields=3).close("101", "7", str(int(NOW_S) + 600), bound=bound)

    for text in (lookalike, tokens.sign(RECEIPT)):
        with pytest.raises(BadPass):
            passes.check(text, now_s=NOW_S, **HERS)


def test_a_rotated_key_still_opens_old_passes_and_makes_new_ones(settings):
    old = annas_pass()

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the-next-key" * 5, [settings.SECRET_KEY]

    assert passes.check(old, now_s=NOW_S, **HERS) == (101, True)
    assert annas_pass().split(".")[0] != old.split(".")[0], "it says which key made it"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadPass):
        passes.check(old, now_s=NOW_S, **HERS)


def test_a_pass_does_not_show_the_session_it_is_bound_to():
    assert "annas-session" not in annas_pass()
    assert passes.bound_to("annas-session") not in annas_pass()
