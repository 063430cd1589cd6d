"""Every Redis key of the admission gate. They share the hash tag of the sale's partition of orders.placed, so that the
one script which decides reaches them and the admission log together.

    gate:approved                        string  run_id of the Redis life in which the data was compared with PostgreSQL
    gate:{orders.placed:<sale>}          hash   stock (units left), initial (units ever given), price_cents,
                                                starts_at_ms, ends_at_ms, per_user_limit, capacity, epoch,
                                                seq (admissions so far), open ('0': its data was lost, and it is
                                                being rebuilt), room, turns_per_s, turn_s, seed,
                                                paused ('1'), notice, revision (of these terms);
                                                units (ever admitted), returned (units that came back), before (seq +
                                                before = orders ever admitted)
    gate:{orders.placed:<sale>}:buyers   hash   user id → units admitted and not returned
    gate:{orders.placed:<sale>}:answers  hash   "<user id>:<idempotency key>" → the OrderPlaced body it got
    gate:{orders.placed:<sale>}:applied  set    ids of ledger entries (returns, additions) the stock already holds
    …:buyers, :answers, :applied with ":draft:<epoch>-<nonce>" behind, while a gate is being rebuilt; they expire
    gate:{orders.placed:<sale>}:line     hash   user id → number in the waiting room, "c<number>" once its turn was used
    gate:{orders.placed:<sale>}:room     hash   joined, before (joined before the start), served_m (turns granted,
                                                times 1,000), at (Redis's clock, ms), lapsed, held (ms that the line
                                                stood still), s<second mod 128> (what was granted by that second
                                                of the line's own clock, which rests while the line does)
    gate:{orders.placed:<sale>}:claims   zset   user id → place, of the turns used lately
    gate:{orders.placed:<sale>}:rate:user:<user id>, …:rate:address:<client's address>
                                         string when this one's attempts will have been forgotten, in microseconds;
                                                expires then (admit.lua makes the names)
    gate:{orders.placed:<sale>}:rate:asked:user:<user id>, …:rate:asked:address:<client's address>
                                         string the same of questions for a puzzle, a pass and a place in line
    gate:{orders.placed:<sale>}:once:<name>
                                         string its name was said in this sale (a spent proof of work); expires
"""

from __future__ import annotations

from queueing import keys

TOPIC = "orders.placed"
GATE_GROUP = "orders"
APPROVED = "gate:approved"


def gate(sale_id: int) -> str:
    return f"gate:{keys.tag(TOPIC, str(sale_id))}"


def buyers(sale_id: int) -> str:
    return f"{gate(sale_id)}:buyers"


def answers(sale_id: int) -> str:
    return f"{gate(sale_id)}:answers"


def applied(sale_id: int) -> str:
    return f"{gate(sale_id)}:applied"


def line(sale_id: int) -> str:
    return f"{gate(sale_id)}:line"


def room(sale_id: int) -> str:
    return f"{gate(sale_id)}:room"


def claims(sale_id: int) -> str:
    return f"{gate(sale_id)}:claims"


def once(sale_id: int, name: str) -> str:
    return f"{gate(sale_id)}:once:{name}"


def asked(sale_id: int, whose: str, who: int | str) -> str:
    return f"{gate(sale_id)}:rate:asked:{whose}:{who}"


def draft(key: str, nonce: str) -> str:
    return f"{key}:draft:{nonce}"


def log(sale_id: int) -> str:
    return keys.log(TOPIC, str(sale_id))


def meta(sale_id: int) -> str:
    return keys.meta(TOPIC, str(sale_id))


def log_series(sale_id: int) -> str:
    return keys.log_series(TOPIC, str(sale_id))


def series(sale_id: int) -> str:
    return keys.series(TOPIC, str(sale_id), GATE_GROUP)


def counters(sale_id: int) -> str:
    return keys.counters(TOPIC, str(sale_id), GATE_GROUP)
