"""Those who come together are decided together, and each gets the answer to its own question."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from inventory import batching, gate, keys
from inventory.gate import GateUnavailable, Movement


def run(story: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """A story in an event loop of its own, whose connections end with it."""

    async def told() -> Any:
        try:
            return await story()
        finally:
            await gate.aclose()

    return asyncio.run(told())


def admit(user: int, key: str = "first-try", quantity: int = 1) -> Awaitable[Any]:
    return gate.admit(sale_id=7, user_id=user, idempotency_key=key, quantity=quantity)


async def first_attempt(user: int) -> str:
    """What orders tells somebody whose key is new."""
    return "sold_out" if gate.is_sold_out(7) else str((await admit(user)).outcome)


async def together(*asked: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest.fixture
def scripts(monkeypatch) -> list[int]:
    """How many members each script had that was sent."""
    sent, send = [], batching.Batcher._decide

    async def decide(batcher, members):
        sent.append(len(members))
        await send(batcher, members)

    monkeypatch.setattr(batching.Batcher, "_decide", decide)
    return sent


def test_a_crowd_needs_few_scripts_and_each_gets_its_own_answer(valkey, open_sale, scripts):
    open_sale(stock=1000)

    answers = run(lambda: together(*map(admit, range(1, 501))))

    assert [json.loads(answer.body)["user_id"] for answer in answers] == list(range(1, 501))
    assert scripts == [128, 128, 128, 116]


def test_a_refused_member_does_not_hurt_the_others(valkey, open_sale):
    open_sale(stock=10, limit=2)

    answers = run(lambda: together(admit(1), admit(2, quantity=3), admit(3), admit(1, quantity=2), admit(4)))

    assert [answer.outcome for answer in answers] == ["admitted", "over_limit", "admitted", "conflict", "admitted"]
    assert gate.read_state(7).stock == 7


def test_a_script_that_fails_leaves_all_unknown_and_the_next_one_admits(valkey, open_sale):
    open_sale()
    valkey.set(keys.buyers(7), "not a hash")

    async def story() -> tuple[list[Any], list[Any]]:
        broken = await together(*map(admit, range(5)))
        valkey.delete(keys.buyers(7))
        return broken, await together(*map(admit, range(5)))

    broken, again = run(story)

    assert [type(answer) for answer in broken] == [GateUnavailable] * 5
    assert [answer.outcome for answer in again] == ["admitted"] * 5


def test_flushed_scripts_cost_nobody_an_answer(valkey, open_sale):
    open_sale()

    async def story() -> list[Any]:
        answers = [await admit(1)]
        valkey.script_flush()
        return [*answers, await admit(2)]

    assert [answer.outcome for answer in run(story)] == ["admitted"] * 2


def test_more_than_can_be_answered_are_refused_at_once(valkey, open_sale, monkeypatch):
    open_sale(stock=1000)
    monkeypatch.setattr(batching, "MOST_WAITING", 50)

    answers = run(lambda: together(*map(admit, range(80))))

    assert Counter(type(answer).__name__ for answer in answers) == {"Decision": 50, "GateUnavailable": 30}


def test_a_shopper_who_goes_away_keeps_nobody_waiting(valkey, open_sale):
    open_sale()

    async def story() -> list[Any]:
        asked = [asyncio.ensure_future(admit(user)) for user in range(4)]
        await asyncio.sleep(0)
        asked[1].cancel()
        return await together(*asked)

    outcomes = run(story)

    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert [outcomes[each].outcome for each in (0, 2, 3)] == ["admitted"] * 3


def test_a_sale_at_rest_gives_its_connection_back(valkey, open_sale, monkeypatch):
    open_sale()
    monkeypatch.setattr(batching, "REST_AFTER_S", 0.05)

    async def story() -> bool:
        await admit(1)
        batcher, deadline = batching.batcher(7), time.monotonic() + 5
        while batcher._connection is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return batcher._connection is None and (await admit(2)).outcome == "admitted"

    assert run(story)


class TestSoldOut:
    """What Redis said is remembered for half a second, for those who never asked before."""

    def test_first_attempts_are_answered_without_asking(self, valkey, open_sale, scripts):
        open_sale(stock=1)

        async def story() -> list[str]:
            await admit(1)
            assert not gate.is_sold_out(7), "nobody was told so yet"
            return [await first_attempt(user) for user in range(2, 30)]

        assert run(story) == ["sold_out"] * 28
        assert scripts == [1, 1]

    def test_a_later_attempt_always_asks(self, valkey, open_sale):
        """It may have been admitted, and its answer lost."""
        open_sale(stock=1)

        async def story() -> list[Any]:
            first = await admit(1)
            await admit(2)
            assert gate.is_sold_out(7)
            return [first, await admit(1)]

        first, again = run(story)

        assert again.body == first.body

    def test_too_few_for_one_is_enough_for_another(self, valkey, open_sale):
        open_sale(stock=1)

        async def story() -> list[str]:
            return [(await admit(1, quantity=2)).outcome, await first_attempt(2)]

        assert run(story) == ["sold_out", "admitted"]

    def test_it_is_forgotten_within_a_second_of_stock_coming_back(self, valkey, open_sale):
        open_sale(stock=1)

        async def story() -> float:
            await admit(1)
            await admit(2)
            gate.apply_movements(sale_id=7, movements=[Movement(ledger_id=1, quantity=1, user_id=1)])
            back = time.monotonic()
            while await first_attempt(3) == "sold_out":
                assert time.monotonic() < back + 5
                await asyncio.sleep(0.01)
            return time.monotonic() - back

        assert run(story) < 1.0

    def test_a_sale_is_not_sold_out_because_another_one_is(self, valkey, open_sale):
        open_sale(stock=0)

        async def story() -> tuple[bool, bool]:
            await admit(1)
            return gate.is_sold_out(7), gate.is_sold_out(8)

        assert run(story) == (True, False)


@pytest.mark.parametrize("moment", ["stock added", "window moved"])
def test_what_an_operator_changes_meanwhile_counts_from_the_next_script_on(valkey, open_sale, now_ms, moment):
    open_sale(stock=300)

    async def story() -> list[Any]:
        crowd = [asyncio.ensure_future(admit(user)) for user in range(400)]
        await asyncio.sleep(0)
        if moment == "stock added":
            await asyncio.to_thread(gate.apply_movements, sale_id=7, movements=[Movement(ledger_id=1, quantity=50)])
        else:
            await asyncio.to_thread(gate.update_gate, sale_id=7, terms=gate.Terms(1999, now_ms - 1000, now_ms - 500, 5))
        first = await together(*crowd)
        return [*first, *await together(*(admit(user) for user in range(400, 500)))]

    outcomes = Counter(answer.outcome for answer in run(story))

    if moment == "stock added":
        assert outcomes == {"admitted": 350, "sold_out": 150}
    else:
        assert outcomes["admitted"] == 300 - gate.read_state(7).stock
        assert outcomes["ended"] >= 100
    assert valkey.xlen(keys.log(7)) == outcomes["admitted"]
