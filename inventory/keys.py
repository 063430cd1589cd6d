"""Every Redis key of the admission gate. They share the hash tag of the sale's partition of orders.placed, so that the
one script which decides reaches them and the admission log together.

    gate:{orders.placed:<sale>}          hash   stock (units left), initial (units ever given), price_cents,
                                                starts_at_ms, ends_at_ms, per_user_limit, capacity, epoch,
                                                seq (admissions so far), open
    gate:{orders.placed:<sale>}:buyers   hash   user id → units admitted and not returned
    gate:{orders.placed:<sale>}:answers  hash   "<user id>:<idempotency key>" → the OrderPlaced body it got
    gate:{orders.placed:<sale>}:applied  set    ids of ledger entries (returns, additions) the stock already holds
"""

from __future__ import annotations

from queueing import keys

TOPIC = "orders.placed"
GATE_GROUP = "orders"


def gate(sale_id: int) -> str:
    return f"gate:{keys.tag(TOPIC, str(sale_id))}"


def buyers(sale_id: int) -> str:
    return f"{gate(sale_id)}:buyers"


def answers(sale_id: int) -> str:
    return f"{gate(sale_id)}:answers"


def applied(sale_id: int) -> str:
    return f"{gate(sale_id)}:applied"


def log(sale_id: int) -> str:
    return keys.log(TOPIC, str(sale_id))


def meta(sale_id: int) -> str:
    return keys.meta(TOPIC, str(sale_id))


def counters(sale_id: int) -> str:
    return keys.counters(TOPIC, str(sale_id), GATE_GROUP)
