"""Attempts per user and per address, counted in the script that decides."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from inventory import gate, keys, room

ADA, BEN = 1, 2


@pytest.fixture(autouse=True)
def rates(settings):
    settings.RATE_PER_USER = (1, 3)
    settings.RATE_PER_ADDRESS = (1, 5)


def attempt(user: int, key: str, client: str = "", *, quantity: int = 1) -> gate.Decision:
    return gate.admit_sync(sale_id=7, user_id=user, idempotency_key=key, quantity=quantity, client=client)


def test_one_shopper_has_three_attempts_at_once_from_wherever(open_sale):
    open_sale(stock=100, limit=100)

    outcomes = [attempt(ADA, f"first-try-{n}", f"203.0.113.{n}") for n in range(4)]

    assert [each.outcome for each in outcomes] == ["admitted"] * 3 + ["rate_limited"]
    assert 0 < outcomes[3].number <= 1_000, "milliseconds to wait"
    assert attempt(BEN, "first-try-0").outcome == "admitted", "another shopper"


def test_one_address_has_five_whoever_speaks_from_it(open_sale):
    open_sale(stock=100, limit=100)

    outcomes = [attempt(user, "first-try", "203.0.113.7").outcome for user in range(10, 17)]

    assert outcomes == ["admitted"] * 5 + ["rate_limited"] * 2
    assert attempt(17, "first-try", "203.0.113.8").outcome == "admitted", "another address"
    assert attempt(18, "first-try").outcome == "admitted", "nobody knows from where"


def test_two_hundred_at_the_same_moment_are_counted_one_by_one(open_sale):
    open_sale(stock=1_000, limit=1_000)

    async def crowd() -> Counter[str]:
        asked = (
            gate.admit(sale_id=7, user_id=user, idempotency_key="first-try", quantity=1, client="203.0.113.7")
            for user in range(100, 300)
        )
        try:
            return Counter(decision.outcome for decision in await asyncio.gather(*asked))
        finally:
            await gate.aclose()

    assert asyncio.run(crowd()) == {"admitted": 5, "rate_limited": 195}


def test_an_answer_that_was_given_is_given_again_however_often(open_sale):
    open_sale(stock=100, limit=100)
    first = attempt(ADA, "first-try")

    again = [attempt(ADA, "first-try") for _ in range(20)]

    assert {each.body for each in again} == {first.body}


def test_who_is_refused_writes_nothing_and_who_tries_is_forgotten(open_sale, valkey):
    open_sale(stock=100, limit=100)
    for n in range(3):
        attempt(ADA, f"first-try-{n}", "203.0.113.7")
    before = {name: valkey.dump(name) for name in valkey.keys()}  # noqa: SIM118

    for n in range(50):
        assert attempt(ADA, f"more-tries-{n}", "203.0.113.7").outcome == "rate_limited"

    assert {name: valkey.dump(name) for name in valkey.keys()} == before  # noqa: SIM118
    for name in (f"{keys.gate(7)}:rate:user:{ADA}", f"{keys.gate(7)}:rate:address:203.0.113.7"):
        assert 0 < valkey.pttl(name) <= 5_000


def test_a_shopper_who_is_over_costs_the_others_at_that_address_nothing(open_sale):
    open_sale(stock=100, limit=100)
    for n in range(20):
        attempt(ADA, f"first-try-{n}", "203.0.113.7")

    assert [attempt(user, "first-try", "203.0.113.7").outcome for user in (BEN, 3)] == ["admitted"] * 2


def test_a_clock_that_jumped_back_locks_nobody_out_for_as_long(open_sale, valkey):
    open_sale(stock=100, limit=100)
    an_hour_from_now = (int(valkey.time()[0]) + 3_600) * 1_000_000
    valkey.set(f"{keys.gate(7)}:rate:user:{ADA}", an_hour_from_now)

    refused = attempt(ADA, "first-try")

    assert refused.outcome == "rate_limited"
    assert refused.number <= 1_000


def test_a_rate_of_zero_is_no_limit(open_sale, settings):
    settings.RATE_PER_USER = settings.RATE_PER_ADDRESS = (0, 1)
    open_sale(stock=100, limit=100)

    assert {attempt(ADA, f"first-try-{n}", "203.0.113.7").outcome for n in range(30)} == {"admitted"}


@pytest.fixture
def waiting_room(open_sale, valkey):
    open_sale(stock=100, limit=100)
    valkey.hset(keys.gate(7), mapping={"room": "on", "turns_per_s": 1, "turn_s": 60, "seed": "1,2,3,4,5,6"})


def test_places_in_line_are_asked_for_three_times_at_once_and_five_from_one_address(waiting_room):
    hers = [room.join_sync(sale_id=7, user_id=ADA, client="203.0.113.7") for _ in range(4)]
    theirs = [room.join_sync(sale_id=7, user_id=user, client="203.0.113.7").word for user in range(10, 14)]

    assert [place.word for place in hers] == ["joined"] * 3 + ["rate_limited"]
    assert 0 < hers[3].number <= 1_000, "milliseconds to wait"
    assert theirs == ["joined"] * 2 + ["rate_limited"] * 2
    assert room.leave_sync(sale_id=7, user_id=ADA).word == "rate_limited"
    assert room.join_sync(sale_id=7, user_id=BEN, client="203.0.113.8").word == "joined", "another address"
    assert attempt(ADA, "first-try", "203.0.113.7").outcome != "rate_limited", "buying is counted apart"


def test_who_asks_too_often_for_a_place_writes_nothing_and_looking_is_free(waiting_room, valkey):
    for _ in range(3):
        room.join_sync(sale_id=7, user_id=ADA, client="203.0.113.7")
    before = {name: valkey.dump(name) for name in valkey.keys()}  # noqa: SIM118

    said = {room.join_sync(sale_id=7, user_id=ADA, client="203.0.113.7").word for _ in range(20)}

    assert said == {"rate_limited"}
    assert {name: valkey.dump(name) for name in valkey.keys()} == before  # noqa: SIM118
    assert {room.look_sync(sale_id=7, user_id=ADA).word for _ in range(20)} == {"joined"}
