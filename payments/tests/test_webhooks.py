"""The bank's word counts once, only if it is the bank's, and only if it fits what the shop asked for."""

from __future__ import annotations

import base64
import time

import pytest
from django.test import Client, RequestFactory

from payments.models import Charge, Payment, Refund, WebhookEvent
from payments.tests.support import WEBHOOK, a_charge, a_payment, headers, money_is_right, notice, post, told
from payments.views import LARGEST_WEBHOOK
from queueing.models import OutboxMessage
from tests.threads import at_once


@pytest.fixture
def charge(db) -> Charge:
    return a_charge(a_payment())


def nothing_happened(charge: Charge) -> bool:
    charge.refresh_from_db()
    payment = Payment.objects.get(order_id=charge.payment_id)
    return (
        charge.captured_at is None
        and (payment.status, payment.declines) == ("pending", 0)
        and not Refund.objects.exists()
        and told() == {"PaymentRequested": 1}
    )


def test_a_capture_pays_the_order(charge):
    response = post(notice(charge))

    assert (response.status_code, response.json()) == (200, {"outcome": "captured"})
    payment = Payment.objects.get(order_id=charge.payment_id)
    assert payment.status == "paid"
    assert payment.settled_at is not None
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}
    assert WebhookEvent.objects.get().outcome == "captured"
    assert money_is_right()


def test_a_decline_is_told_with_its_reason_and_number_and_the_order_can_still_be_paid(charge):
    for _ in range(2):
        assert post(notice(charge, kind="charge.declined", reason="card_declined")).json()["outcome"] == "declined"

    bodies = [row.body for row in OutboxMessage.objects.filter(name="payments.PaymentFailed").order_by("id")]
    assert ['"attempt":1' in bodies[0], '"attempt":2' in bodies[1]] == [True, True]
    assert all('"reason":"card_declined"' in body for body in bodies)
    assert post(notice(charge)).json()["outcome"] == "captured"


def test_a_decline_that_was_overtaken_by_the_payment_changes_nothing(charge):
    post(notice(charge))

    assert post(notice(charge, kind="charge.declined")).json() == {"outcome": "no_effect"}

    assert Payment.objects.get().declines == 0
    assert "PaymentFailed" not in told()


def test_every_flipped_byte_of_the_body_is_noticed(charge):
    body = notice(charge)
    given = headers(body)
    for at in range(len(body)):
        flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert post(flipped, given).status_code == 401, at
    assert nothing_happened(charge)
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("header", ["Webhook-Signature", "Webhook-Id", "Webhook-Timestamp"])
def test_every_flipped_byte_of_a_header_is_noticed(charge, header):
    body = notice(charge)
    given = headers(body)
    right = given[header]
    for at in range(len(right)):
        for bit in (1, 4, 32, 128):
            wrong = right[:at] + chr(ord(right[at]) ^ bit) + right[at + 1 :]
            assert post(body, given | {header: wrong}).status_code == 401, (at, bit)
    assert nothing_happened(charge)


def test_another_spelling_of_the_same_signature_bytes_is_refused(charge):
    body = notice(charge)
    given = headers(body)
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = given["Webhook-Signature"][-2]
    other = spare[spare.index(last) ^ 1]
    wrong = given["Webhook-Signature"][:-2] + other + "="
    same = base64.b64decode(wrong[3:]) == base64.b64decode(given["Webhook-Signature"][3:])
    assert same, "the two spellings decode alike"

    assert post(body, given | {"Webhook-Signature": wrong}).status_code == 401


@pytest.mark.parametrize("missing", ["Webhook-Signature", "Webhook-Id", "Webhook-Timestamp"])
def test_a_missing_header_is_refused(charge, missing):
    body = notice(charge)
    given = headers(body)
    del given[missing]
    response = post(body, given)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_signature")
    assert nothing_happened(charge)


@pytest.mark.parametrize(
    ("off_s", "status"),
    [(-301, 400), (+301, 400), (-86_400, 400), (+86_400, 400), (-290, 200), (+290, 200)],
)
def test_five_minutes_either_way(charge, off_s, status):
    body = notice(charge)
    # A second of margin for the test itself: the timestamp is cut to whole seconds.
    response = post(body, headers(body, at=time.time() + off_s + (1 if off_s > 300 else 0)))
    assert response.status_code == status
    if status != 200:
        assert response.json()["error"]["code"] == "stale_timestamp"
        assert nothing_happened(charge)


def test_another_secret_is_not_the_banks(charge):
    body = notice(charge)
    assert post(body, headers(body, secret=b"guess")).status_code == 401
    assert nothing_happened(charge)


def test_while_the_secret_changes_either_signature_is_enough(charge):
    body = notice(charge)
    given = headers(body)
    old = headers(body, secret=b"the old one")["Webhook-Signature"]
    given["Webhook-Signature"] = f"{old} {given['Webhook-Signature']}"
    assert post(body, given).status_code == 200


def test_a_secret_of_its_own_may_be_set(charge, settings):
    body = notice(charge)
    derived = headers(body)
    settings.PAYMENT_WEBHOOK_SECRET = "whsec_ours"
    assert post(body, derived).status_code == 401
    assert post(body, headers(body, secret=b"whsec_ours")).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 4_899},
        {"amount_cents": 4_901},
        {"amount_cents": 0},
        {"currency": "USD"},
        {"currency": "eur"},
        {"order_id": "0198c000-0000-7000-8000-000000000000"},
        {"order_id": "not an order"},
        {"charge_id": "nobody-asked-for-this"},
    ],
)
@pytest.mark.parametrize("kind", ["charge.captured", "charge.declined"])
def test_what_contradicts_the_shops_record_is_kept_for_a_person_and_does_nothing(charge, changes, kind, caplog):
    response = post(notice(charge, kind=kind, **changes))

    assert (response.status_code, response.json()) == (200, {"outcome": "quarantined"})
    event = WebhookEvent.objects.get()
    assert event.outcome == "quarantined"
    assert event.note
    assert str(next(iter(changes.values()))) in event.body
    assert nothing_happened(charge)
    assert "quarantined" in caplog.text


def test_the_order_of_another_charge_is_a_contradiction(charge):
    other = a_charge(a_payment())
    assert post(notice(charge, order_id=str(other.payment_id))).json() == {"outcome": "quarantined"}
    assert not Payment.objects.filter(status="paid").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"type":"charge.captured"}',
        b"\xff\xfe",
        b'{"a":"\0"}',
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_malformed_json_is_a_clear_error(charge, body):
    response = post(body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed_json")
    assert nothing_happened(charge)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": "4900"},
        {"amount_cents": 4900.5},
        {"amount_cents": -4900},
        {"amount_cents": 10**30},
        {"amount_cents": True},
        {"charge_id": "a\0b"},
        {"charge_id": "x" * 65},
        {"charge_id": None},
        {"reason": "DROP TABLE"},
        {"type": "charge.captured\n"},
    ],
)
def test_a_field_of_another_shape_is_a_clear_error(charge, changes):
    response = post(notice(charge, **changes))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed_json")
    assert nothing_happened(charge)


def test_a_field_or_a_type_we_do_not_know_is_the_banks_business(charge):
    assert post(notice(charge, kind="charge.viewed")).json() == {"outcome": "no_effect"}
    assert nothing_happened(charge)
    assert post(notice(charge, fee_cents=29)).json() == {"outcome": "captured"}


def test_a_megabyte_is_too_much_even_if_genuine(charge):
    body = notice(charge, fill="x" * 1_000_000)
    response = post(body)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert nothing_happened(charge)


def test_the_largest_allowed_body_is_read(charge):
    body = notice(charge, fill="")
    body = notice(charge, fill="x" * (LARGEST_WEBHOOK - len(body)))
    assert len(body) == LARGEST_WEBHOOK
    assert post(body).status_code == 200


def test_only_post(db):
    assert Client().get(WEBHOOK).status_code == 405


def test_the_same_event_again_does_nothing(charge):
    body = notice(charge)
    given = headers(body)
    assert [post(body, given).json()["outcome"] for _ in range(3)] == ["captured", "no_effect", "no_effect"]
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}


def test_the_same_decline_again_is_not_counted_again(charge):
    body = notice(charge, kind="charge.declined")
    given = headers(body)
    assert [post(body, given).json()["outcome"] for _ in range(3)] == ["declined", "no_effect", "no_effect"]
    assert told() == {"PaymentRequested": 1, "PaymentFailed": 1}


def test_the_same_capture_under_another_event_id_does_nothing(charge):
    assert [post(notice(charge)).json()["outcome"] for _ in range(3)] == ["captured", "no_effect", "no_effect"]
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}
    assert money_is_right()


@pytest.mark.django_db(transaction=True)
def test_a_decline_fifty_times_in_parallel_is_counted_once():
    body = notice(a_charge(a_payment()), kind="charge.declined")
    given = headers(body)
    assert {answer.status_code for answer in at_once([lambda: post(body, given)] * 50)} == {200}
    assert Payment.objects.get().declines == 1
    assert told() == {"PaymentRequested": 1, "PaymentFailed": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_id", [True, False], ids=["one event id", "fifty event ids"])
def test_fifty_times_in_parallel_is_once(same_id):
    charge = a_charge(a_payment())
    body = notice(charge)
    given = headers(body)

    answers = at_once([lambda: post(body, given if same_id else None)] * 50)

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["outcome"] for answer in answers) == ["captured"] + ["no_effect"] * 49
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}
    assert money_is_right()


def test_a_body_that_announces_no_length_is_cut_off_all_the_same(charge):
    from io import BytesIO

    from payments.views import webhook

    request = RequestFactory().post(WEBHOOK, b"", content_type="application/json", headers=headers(b""))
    request._stream = BytesIO(b"x" * 1_000_000)
    assert webhook(request).status_code == 413
