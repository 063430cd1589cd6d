"""The order token opens one order, and only as it was signed."""

from __future__ import annotations

import hmac
import uuid

import pytest
from django.core.signing import Signer
from hypothesis import given
from hypothesis import strategies as st

from orders import tokens
from orders.tokens import BadToken, Receipt

RECEIPT = Receipt(
    order_id=uuid.UUID("019a9b0e-1111-7abc-8def-0123456789ab"),
    user_id=101,
    sale_id=7,
    epoch=1,
    seq=42,
    quantity=2,
    price_cents=1999,
    placed_at_ms=1_790_000_000_000,
)
TOKEN_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x00")


def test_what_was_signed_is_read():
    assert tokens.read(tokens.sign(RECEIPT)) == RECEIPT
    assert RECEIPT.total_cents == 3998


def test_signing_twice_gives_the_same_token():
    assert tokens.sign(RECEIPT) == tokens.sign(RECEIPT)


def test_the_seal_is_hmac_sha256_and_nothing_of_our_own(settings):
    settings.SECRET_KEY = "the old kettle's key"
    key = hmac.digest(b"the old kettle's key", b"seal:orders.token", "sha256")

    _, *fields, mac = tokens.sign(RECEIPT).split(".")

    lengths = ",".join(str(len(field)) for field in fields)
    assert mac == hmac.new(key, f"0,{lengths}:{''.join(fields)}".encode(), "sha256").hexdigest()


def test_any_changed_character_is_refused():
    token = tokens.sign(RECEIPT)
    for place, character in enumerate(token):
        for other in {chr(ord(character) ^ 1), "0", "A", "a", ":", "."} - {character}:
            with pytest.raises(BadToken):
                tokens.read(token[:place] + other + token[place + 1 :])


def test_no_field_flows_into_its_neighbour():
    """user 10, sale 17 is not user 101, sale 7."""
    token = tokens.sign(RECEIPT)
    fields, _, signature = token.rpartition(":")
    for shifted in (fields.replace("101.7", "10.17"), fields.replace("101.7", "1017."), fields + ".1", fields[:-2]):
        with pytest.raises(BadToken):
            tokens.read(f"{shifted}:{signature}")


@given(st.text(TOKEN_CHARACTERS, max_size=200))
def test_rubbish_is_refused(text):
    with pytest.raises(BadToken):
        tokens.read(text)


def test_a_signature_for_another_purpose_is_refused():
    fields = tokens.sign(RECEIPT).rpartition(":")[0]
    with pytest.raises(BadToken):
        tokens.read(Signer(salt="something.else").sign(fields))


def test_a_rotated_key_still_opens_old_tokens_and_signs_new_ones(settings):
    old = tokens.sign(RECEIPT)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the-next-key" * 5, [settings.SECRET_KEY]

    assert tokens.read(old) == RECEIPT
    assert tokens.sign(RECEIPT) != old
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadToken):
        tokens.read(old)
