from __future__ import annotations

import pytest

from notifications.models import Channel, Notification
from notifications.texts import SMS_LENGTH, compose

ORDER = "01932d4f-0000-7000-8000-00000a1b2c3d"
WAITED = "notifications: the oldest message has waited for 12 min 34 s"
FACTS = {"total_cents": 123_456_700, "tracking_number": "SLU-2026-ABCDEFGHIJ", "text": WAITED}
SPEAKS_OF = {
    "received": ("we have your order #1B2C3D", "We have your order #1B2C3D"),
    "confirmed": ("Please pay €1,234,567.00", "please pay order #1B2C3D"),
    "paid": ("€1,234,567.00 for order #1B2C3D arrived", "Payment received for order #1B2C3D"),
    "payment_failed": ("your bank declined €1,234,567.00", "Payment declined for order #1B2C3D"),
    "shipped": ("Tracking number: SLU-2026-ABCDEFGHIJ", "On its way: order #1B2C3D"),
    "delivered": ("has arrived", "Delivered: order #1B2C3D"),
    "expired": ("gave it back to the shelf", "Order #1B2C3D has expired"),
    "rejected": ("went to someone else", "Sold out: order #1B2C3D"),
    "cancelled": ("is cancelled, as you wished", "Order #1B2C3D is cancelled"),
    "refunded": ("€1,234,567.00 for order #1B2C3D is on its way back", "Refund for order #1B2C3D"),
    "alert": (f"incident #1B2C3D: {WAITED}", "Incident #1B2C3D: something is wrong"),
    "resolved": (f"incident #1B2C3D is over: {WAITED}", "Incident #1B2C3D is over"),
}
# What fits seven bits a character; anything else makes one SMS of 160 three of 70.
GSM_7_BIT = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà€^{}\\[~]|"
)


def test_every_kind_has_its_words() -> None:
    assert set(SPEAKS_OF) == set(Notification.Kind.values)


@pytest.mark.parametrize("kind", Notification.Kind.values)
def test_an_sms_says_it_in_one_message(kind: str) -> None:
    text = compose(kind=kind, channel=Channel.SMS, name="Bartholomew Featherstonehaugh", number=ORDER, facts=FACTS)

    assert SPEAKS_OF[kind][0] in text.body
    assert "Bartholomew Feath..." in text.body
    assert not text.body.endswith("...")  # nothing had to be cut, even with a long name and a large sum
    assert len(text.body) + text.body.count("€") <= SMS_LENGTH
    assert set(text.body) <= GSM_7_BIT
    assert text.subject == ""


@pytest.mark.parametrize("kind", Notification.Kind.values)
def test_an_email_has_a_subject_a_greeting_and_a_signature(kind: str) -> None:
    text = compose(kind=kind, channel=Channel.EMAIL, name="Ada", number=ORDER, facts=FACTS)

    assert SPEAKS_OF[kind][1] in text.subject
    assert "\n" not in text.subject
    assert text.body.startswith("Hello Ada,\n\n")
    assert text.body.endswith("Your friends at Sluice")
    assert "#1B2C3D" in text.body


@pytest.mark.parametrize("channel", Channel.values)
def test_a_name_is_taken_as_it_is_and_on_one_line(channel: str) -> None:
    text = compose(kind="delivered", channel=channel, name="<b>100%</b>\r\nBcc: x", number=ORDER, facts={})

    assert "<b>100%</b> Bcc: x" in text.body  # plain text: escaping is the page's work, and is tested there
    assert "Bcc" not in text.subject


def test_a_translation_that_grew_too_long_is_cut_rather_than_sent_twice() -> None:
    text = compose(kind="shipped", channel=Channel.SMS, name="Ada", number=ORDER, facts={"tracking_number": "9" * 200})

    assert len(text.body) == SMS_LENGTH
    assert text.body.endswith("99...")


def test_each_gets_their_own_name_number_and_sum_and_a_name_that_looks_like_a_gap_is_a_name() -> None:
    told = [
        compose(kind="paid", channel=Channel.SMS, name=name, number=order, facts={"total_cents": cents}).body
        for name, order, cents in [
            ("Ada", ORDER, 4_900),
            ("\0reference\0 {{ ref }}", ORDER[:-1] + "e", 4_900),
            ("Sam", ORDER, 700),
        ]
    ]

    assert ["#1B2C3D" in text for text in told] == [True, False, True]
    assert ["€49.00" in text for text in told] == [True, True, False]
    assert "reference {{ ref }}" in told[1]
    assert "#1B2C3E" in told[1]
    assert "Sam" in told[2]
    assert "€7.00" in told[2]
