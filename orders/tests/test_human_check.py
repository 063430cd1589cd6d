"""From a puzzle to a pass: solved by whom it was made for, in time, once."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter

import pytest
from django.test import Client

from orders import passes, proof_of_work
from orders.proof_of_work import BadProof
from orders.tests.support import session_of, solve

HERS = {"user_id": 101, "sale_id": 7, "session_key": "annas-session"}
NOW_S = 1_790_000_000.0


@pytest.fixture(autouse=True)
def easy(settings):
    settings.PROOF_OF_WORK = 200


def puzzle(**whose) -> dict:
    made = proof_of_work.challenge(**(HERS | whose), now_s=NOW_S)
    return {name: getattr(made, name) for name in made.__struct_fields__}


def changed(payload: str, **fields) -> str:
    return base64.b64encode(json.dumps(json.loads(base64.b64decode(payload)) | fields).encode()).decode()


def test_a_solved_puzzle_has_a_name_and_the_time_it_had_left():
    name, left_s = proof_of_work.check(solve(puzzle()), **HERS, now_s=NOW_S + 200)

    assert (len(name), left_s) == (32, proof_of_work.LASTS_S - 200)


def test_the_difficulty_is_a_setting(settings):
    settings.PROOF_OF_WORK = 0
    assert puzzle()["maxnumber"] == 0
    settings.PROOF_OF_WORK = 1234
    assert puzzle()["maxnumber"] == 1234


@pytest.mark.parametrize("other", [{"user_id": 102}, {"sale_id": 8}, {"session_key": "another"}])
def test_a_puzzle_solved_for_one_is_nothing_for_another(other):
    with pytest.raises(BadProof):
        proof_of_work.check(solve(puzzle()), **(HERS | other), now_s=NOW_S)


def test_a_puzzle_has_its_time():
    solved = solve(puzzle())
    with pytest.raises(BadProof):
        proof_of_work.check(solved, **HERS, now_s=NOW_S + proof_of_work.LASTS_S)


def test_the_salts_digits_and_the_numbers_stay_apart():
    """CVE-2025-68113: 'expires=12' + '34' hashed as 'expires=1' + '234' would let one solution be sent as two."""
    made = puzzle()
    solved = solve(made)
    number = str(json.loads(base64.b64decode(solved))["number"])
    assert made["salt"].endswith("&")

    for salt, spliced in ((made["salt"][:-1], number), (made["salt"] + number[0], number[1:] or "0")):
        with pytest.raises(BadProof):
            proof_of_work.check(changed(solved, salt=salt, number=int(spliced)), **HERS, now_s=NOW_S)


@pytest.mark.parametrize("field", ["algorithm", "challenge", "salt", "signature"])
def test_any_changed_character_is_refused(field):
    solved = solve(puzzle())
    given = json.loads(base64.b64decode(solved))[field]
    for place, character in enumerate(given):
        other = given[:place] + chr(ord(character) ^ 1) + given[place + 1 :]
        with pytest.raises(BadProof):
            proof_of_work.check(changed(solved, **{field: other}), **HERS, now_s=NOW_S)


@pytest.mark.parametrize("number", [-1, 10**30, 1.5, "1", None, True])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(BadProof):
        proof_of_work.check(changed(solve(puzzle()), number=number), **HERS, now_s=NOW_S)


@pytest.mark.parametrize(
    "payload", ["", "é", "!", "bnVsbA==", "W10=", "e30=", base64.b64encode(b"[" * 30_000).decode()]
)
def test_rubbish_is_refused(payload):
    with pytest.raises(BadProof):
        proof_of_work.check(payload, **HERS, now_s=NOW_S)


# Over HTTP


@pytest.fixture
def browser(anna):
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)
    client.cookies["csrftoken"] = "c" * 32
    return client


def ask_for_a_pass(client: Client, solved: str, sale: int = 7):
    headers = {"X-CSRFToken": "c" * 32}
    return client.post(f"/api/sales/{sale}/pass", {"altcha": solved}, content_type="application/json", headers=headers)


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.django_db
def test_a_browser_earns_a_pass_and_buys_with_it(browser, valkey, open_sale, anna):
    open_sale()

    challenge = browser.get("/api/sales/7/challenge")
    earned = ask_for_a_pass(browser, solve(challenge.json()))

    assert (challenge.status_code, earned.status_code) == (200, 201)
    assert challenge["Cache-Control"] == earned["Cache-Control"] == "no-store"
    said = earned.json()
    assert passes.check(said["pass"], sale_id=7, session_key=session_of(browser)) == (anna.pk, True)
    bought = browser.post(
        "/api/sales/7/orders",
        b'{"quantity": 1}',
        content_type="application/json",
        headers={"Sale-Pass": said["pass"], "Idempotency-Key": "first-try"},
    )
    assert bought.status_code == 202


@pytest.mark.django_db(transaction=True)
def test_drill_12_one_proof_fifty_times_at_once_is_one_pass(browser, anna, valkey, open_sale):
    open_sale()
    solved = solve(browser.get("/api/sales/7/challenge").json())
    told: list[int] = []

    def send() -> None:
        from django.db import connection

        one_of_many = Client()
        one_of_many.cookies.load({name: morsel.value for name, morsel in browser.cookies.items()})
        told.append(ask_for_a_pass(one_of_many, solved).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert Counter(told) == {201: 1, 403: 49}
    [spent] = valkey.keys("gate:*:once:*")
    assert 0 < valkey.ttl(spent) <= proof_of_work.LASTS_S, "remembered while it could be sent again, and no longer"


@pytest.mark.django_db
def test_somebody_elses_proof_is_refused(browser, boris, valkey, open_sale):
    open_sale()
    solved = solve(browser.get("/api/sales/7/challenge").json())
    thief = Client()
    thief.force_login(boris)
    thief.cookies["csrftoken"] = "c" * 32

    assert code(ask_for_a_pass(thief, solved)) == (403, "bad_proof")
    assert code(ask_for_a_pass(browser, solved, sale=8)) == (403, "bad_proof")
    assert ask_for_a_pass(browser, solved).status_code == 201, "a thief's try does not spend it"


@pytest.mark.django_db
def test_a_pass_takes_a_log_in_and_a_csrf_token(browser, valkey, open_sale):
    open_sale()
    solved = solve(browser.get("/api/sales/7/challenge").json())

    assert code(Client().get("/api/sales/7/challenge")) == (401, "not_logged_in")
    assert code(ask_for_a_pass(Client(), solved)) == (401, "not_logged_in")
    forged = browser.post("/api/sales/7/pass", {"altcha": solved}, content_type="application/json")
    assert code(forged) == (403, "csrf_failed")


@pytest.mark.django_db
def test_there_is_no_puzzle_for_a_sale_that_is_none(browser, valkey):
    assert code(browser.get("/api/sales/7/challenge")) == (404, "unknown_sale")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "malformed_json")),
        (b"{}", (422, "invalid")),
        (b'{"altcha": 1}', (422, "invalid")),
        (b'{"altcha": "x", "user_id": 1}', (422, "invalid")),
        (b'{"altcha": "x", "altcha": "y"}', (422, "invalid")),
        (b'{"altcha": "eDo="}', (403, "bad_proof")),
        (b'{"altcha": "' + b"x" * 70_000 + b'"}', (413, "body_too_large")),
    ],
)
def test_a_bad_body_is_a_clear_error(browser, valkey, open_sale, body, expected):
    open_sale()
    headers = {"X-CSRFToken": "c" * 32}

    response = browser.post("/api/sales/7/pass", body, content_type="application/json", headers=headers)

    assert code(response) == expected


@pytest.mark.django_db
def test_without_redis_nobody_gets_a_pass(browser, valkey, open_sale, settings):
    """What is spent can't be looked up; a pass without it would be one of many."""
    open_sale()
    solved = solve(browser.get("/api/sales/7/challenge").json())
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert code(ask_for_a_pass(browser, solved)) == (503, "unavailable")


@pytest.mark.django_db
def test_a_shopper_has_three_questions_at_once_and_another_has_their_own(browser, boris, valkey, open_sale, settings):
    settings.RATE_PER_USER = (0.01, 3)
    open_sale()
    other = Client()
    other.force_login(boris)

    *_, puzzle = [browser.get("/api/sales/7/challenge").json() for _ in range(3)]
    refused = ask_for_a_pass(browser, solve(puzzle))

    assert code(refused) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 100
    assert not valkey.keys("gate:*:once:*"), "the proof is not spent"
    assert other.get("/api/sales/7/challenge").status_code == 200


@pytest.mark.django_db
def test_too_many_from_one_address_are_refused_before_their_session_is_looked_up(
    browser, valkey, open_sale, settings, django_assert_num_queries
):
    settings.RATE_PER_ADDRESS = (0.01, 2)
    open_sale()
    for _ in range(2):
        assert browser.get("/api/sales/7/challenge").status_code == 200

    with django_assert_num_queries(0):
        refused = [browser.get("/api/sales/7/challenge"), ask_for_a_pass(browser, "x")]

    assert {code(response) for response in refused} == {(429, "rate_limited")}
    assert browser.get("/api/sales/7/challenge", REMOTE_ADDR="203.0.113.9").status_code == 200
