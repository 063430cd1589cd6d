"""Whatever is asked in whatever order: units given = units left + units with buyers, and nobody is over the limit."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory import gate, keys
from inventory.counts import read_counts
from inventory.gate import Movement

STOCK, LIMIT = 12, 4

buys = st.tuples(st.just("buy"), st.integers(1, 5), st.integers(0, 3), st.integers(1, 5))
returns = st.tuples(st.just("return"), st.integers(0, 30))
additions = st.tuples(st.just("add"), st.integers(0, 5), st.integers(1, 4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(buys, buys, returns, additions), max_size=40))
def test_units_are_conserved(valkey, open_sale, steps):
    valkey.flushdb()
    open_sale(stock=STOCK, limit=LIMIT)
    admitted: dict[str, dict] = {}
    returned: set[str] = set()
    added: dict[int, int] = {}

    for kind, *rest in steps:
        if kind == "buy":
            user, key, quantity = rest
            said = gate.admit_sync(sale_id=7, user_id=user, idempotency_key=f"key-number-{key}", quantity=quantity)
            if said.outcome == "admitted":
                order = json.loads(said.body)
                assert admitted.setdefault(order["order_id"], order) == order
        elif kind == "return" and admitted:
            order = list(admitted.values())[rest[0] % len(admitted)]
            returned.add(order["order_id"])
            movement = Movement(1000 + order["seq"], order["quantity"], order["user_id"])
            gate.apply_movements(sale_id=7, movements=[movement])
        elif kind == "add":
            number, quantity = rest
            gate.apply_movements(sale_id=7, movements=[Movement(number, added.setdefault(number, quantity))])

        live = [order for order in admitted.values() if order["order_id"] not in returned]
        state = gate.read_state(7)
        assert state.stock + sum(order["quantity"] for order in live) == STOCK + sum(added.values())
        assert state.stock >= 0
        counts = read_counts(7)[1]
        assert counts.initial == counts.stock + counts.units - counts.returned
        assert (counts.orders, counts.held) == (len(admitted), len(admitted)), "nobody works them off here"
        assert counts.returned == sum(admitted[order]["quantity"] for order in returned)
        held = {user: int(units) for user, units in valkey.hgetall(keys.buyers(7)).items()}
        assert all(units <= LIMIT for units in held.values())
        assert sum(held.values()) == sum(order["quantity"] for order in live)
        assert valkey.xlen(keys.log(7)) == len(admitted) == state.seq
