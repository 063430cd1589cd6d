"""Many at once: the script is atomic, whoever comes when."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

from inventory import gate, keys
from inventory.gate import Movement


def crowd(*purchases):
    """All of these at the same time, as one process's requests are."""

    async def all_at_once():
        try:
            return await asyncio.gather(*(gate.admit(sale_id=7, **purchase) for purchase in purchases))
        finally:
            await gate.aclose()

    return asyncio.run(all_at_once())


def purchase(user, key="only-once", quantity=1):
    return {"user_id": user, "idempotency_key": key, "quantity": quantity}


def test_drill_04_fifty_times_the_same_key_is_one_unit_and_fifty_equal_answers(valkey, open_sale):
    open_sale(stock=10)

    answers = crowd(*[purchase(1)] * 50)

    assert len(set(answers)) == 1
    assert answers[0].outcome == "admitted"
    assert gate.read_state(7).stock == 9
    assert valkey.xlen(keys.log(7)) == 1


def test_one_buyer_with_fifty_keys_gets_the_limit(valkey, open_sale):
    open_sale(stock=100, limit=3)

    answers = crowd(*(purchase(1, f"key-number-{number}") for number in range(50)))

    assert Counter(answer.outcome for answer in answers) == {"admitted": 3, "over_limit": 47}
    assert gate.read_state(7).stock == 97


def test_two_hundred_buyers_on_ten_units_are_ten_orders(valkey, open_sale):
    open_sale(stock=10)

    answers = crowd(*(purchase(user) for user in range(200)))

    assert Counter(answer.outcome for answer in answers) == {"admitted": 10, "sold_out": 190}
    assert gate.read_state(7).stock == 0
    orders = [json.loads(fields["b"]) for _, fields in valkey.xrange(keys.log(7))]
    assert [order["seq"] for order in orders] == list(range(1, 11))
    assert len({order["user_id"] for order in orders}) == 10


def test_drill_03_after_a_hundred_on_ten_units_a_returned_unit_sells(valkey, open_sale):
    """A counter that was let below zero would swallow the returned unit."""
    open_sale(stock=10)
    answers = crowd(*(purchase(user) for user in range(100)))
    lucky = next(json.loads(answer.body)["user_id"] for answer in answers if answer.outcome == "admitted")

    gate.apply_movements(sale_id=7, movements=[Movement(ledger_id=1, quantity=1, user_id=lucky)])
    late = crowd(*(purchase(user, "second-try") for user in range(100, 120)))

    assert Counter(answer.outcome for answer in late) == {"admitted": 1, "sold_out": 19}
    assert gate.read_state(7).stock == 0
