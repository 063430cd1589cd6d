"""What the gate decides, and in which order."""

from __future__ import annotations

import json
import time

import pytest

from inventory import gate, keys
from inventory.gate import Movement, Terms
from inventory.link import GateBroken
from queueing import keys as queue_keys
from queueing.conf import make_broker

ANNA, BORIS = 101, 102
HOUR_MS = 3_600_000


def buy(user=ANNA, key="first-try", quantity=1, sale=7):
    return gate.admit_sync(sale_id=sale, user_id=user, idempotency_key=key, quantity=quantity)


def with_capacity(settings, capacity):
    topics = settings.QUEUEING["TOPICS"]
    placed = {**topics["orders.placed"], "capacity": capacity}
    settings.QUEUEING = {**settings.QUEUEING, "TOPICS": {**topics, "orders.placed": placed}}


def everything(valkey):
    """All that Redis holds, to see that nothing changed."""
    read = {"hash": valkey.hgetall, "stream": valkey.xrange, "set": valkey.smembers, "string": valkey.get}
    return {key: read[valkey.type(key)](key) for key in sorted(valkey.keys())}


def test_an_admitted_order_is_deducted_counted_answered_and_queued(valkey, open_sale):
    open_sale(stock=10)

    said = buy(quantity=2)

    order = json.loads(said.body)
    assert said.outcome == "admitted"
    assert said.number == 1
    assert (order["sale_id"], order["user_id"], order["quantity"], order["price_cents"]) == (7, ANNA, 2, 1999)
    assert (order["seq"], order["epoch"], order["idempotency_key"]) == (1, 1, "first-try")
    assert valkey.hget(keys.gate(7), "stock") == "8"
    assert valkey.hget(keys.buyers(7), str(ANNA)) == "2"
    [(_, entry)] = valkey.xrange(keys.log(7))
    assert (entry["n"], entry["v"], entry["k"], entry["b"]) == ("orders.OrderPlaced", "1", "7", said.body.decode())
    assert entry["at"] == str(order["placed_at_ms"])
    assert valkey.hget(keys.meta(7), "appended") == "1"


def test_the_admission_log_is_known_to_the_consumers_before_anything_is_in_it(valkey, open_sale):
    open_sale()

    assert valkey.smembers(queue_keys.partitions("orders.placed")) == {"7"}
    assert valkey.smembers(queue_keys.TOPICS) == {"orders.placed"}


def test_the_same_key_gives_the_same_answer_and_takes_nothing(valkey, open_sale):
    open_sale()
    first = buy()
    before = everything(valkey)

    again = buy()

    assert again == first
    assert everything(valkey) == before


def test_the_same_key_with_another_quantity_is_a_conflict(valkey, open_sale):
    open_sale()
    buy(quantity=1)
    before = everything(valkey)

    assert buy(quantity=2).outcome == "conflict"
    assert everything(valkey) == before


def test_two_buyers_may_use_the_same_key(valkey, open_sale):
    open_sale()

    assert json.loads(buy(ANNA).body)["order_id"] != json.loads(buy(BORIS).body)["order_id"]


@pytest.mark.parametrize(
    ("sale", "purchase", "outcome", "number"),
    [
        ({"starts": 1000}, {}, "not_started", 0),
        ({"starts": -HOUR_MS, "ends": 0}, {}, "ended", 0),
        ({"paused": True}, {}, "paused", 0),
        ({"paused": True, "stock": 0}, {}, "paused", 0),
        ({"paused": True, "starts": 1000}, {}, "not_started", 0),
        ({"limit": 2}, {"quantity": 3}, "over_limit", 2),
        ({"stock": 2}, {"quantity": 3}, "sold_out", 2),
        ({"stock": 0}, {}, "sold_out", 0),
    ],
)
def test_a_refusal_says_why_and_stores_nothing(valkey, open_sale, sale, purchase, outcome, number):
    open_sale(**sale)
    before = everything(valkey)

    said = buy(**purchase)

    assert (said.outcome, said.number) == (outcome, number)
    assert everything(valkey) == before


def test_a_sale_without_a_gate_is_missing(valkey):
    assert buy().outcome == "missing"
    assert everything(valkey) == {}


def test_a_closed_gate_admits_nobody_but_remembers(valkey, open_sale):
    open_sale()
    first = buy()
    valkey.hset(keys.gate(7), "open", "0")

    assert buy(BORIS).outcome == "closed"
    assert buy().body == first.body


def test_a_full_queue_refuses_until_the_orders_group_catches_up(valkey, open_sale, settings):
    with_capacity(settings, 2)
    open_sale()
    for number in range(2):
        assert buy(number).outcome == "admitted"

    said = buy(ANNA)
    assert (said.outcome, said.number) == ("queue_full", 2)
    assert buy(1).outcome == "admitted", "its key comes first"

    valkey.hset(keys.counters(7), "acked", 1)
    assert buy(ANNA).outcome == "admitted"


def test_a_full_queue_says_when_the_orders_group_will_have_made_room(valkey, open_sale, settings):
    with_capacity(settings, 1_000)
    open_sale()
    valkey.hset(keys.meta(7), "appended", 1_000)
    assert buy(ANNA).retry_after_s == 30, "nobody works the orders off"

    second = valkey.time()[0]
    for ago, acked in ((9, 100), (3, 1_000)):
        record = "".join(f"{number:012}" for number in (second - ago, acked, 0, 0, 0))
        valkey.setrange(keys.series(7), (second - ago) % 3600 * len(record), record)
    valkey.hset(keys.counters(7), mapping={"acked": 1_100, "noted": second - 3})
    valkey.hset(keys.meta(7), "appended", 2_100)

    said = buy(ANNA)

    assert (said.outcome, said.number) == ("queue_full", 1_000)
    assert 0.9 <= said.retry_after_s <= 1.2, "1,000 in ten seconds, and a hundred must go"


def test_what_was_admitted_is_in_the_series_and_in_the_counter(valkey, open_sale):
    open_sale(stock=3)
    outcomes = [buy(number, f"key-{number}-of-many").outcome for number in range(5)]

    assert outcomes.count("admitted") == 3
    series = make_broker().series("orders", "orders.placed", 60)
    assert sum(series.produced) == int(valkey.hget(keys.meta(7), "appended")) == 3
    assert series.lag[-1] == 3


def test_a_series_of_the_wrong_type_leaves_nothing_half_done(valkey, open_sale):
    open_sale()
    valkey.sadd(keys.log_series(7), "what is this")
    before = everything(valkey)

    with pytest.raises(gate.GateUnavailable):
        buy(ANNA)

    assert everything(valkey) == before


def test_the_checks_come_in_their_order(valkey, open_sale, settings, now_ms):
    """Every reason to refuse is true at once; taking the first away uncovers the next."""
    with_capacity(settings, 1)
    open_sale(stock=1, limit=1)
    buy(ANNA, "key-of-anna")
    buy_again = lambda: buy(ANNA, "another-key").outcome  # noqa: E731

    valkey.hset(keys.gate(7), mapping={"open": "0", "ends_at_ms": now_ms - 1, "starts_at_ms": now_ms + HOUR_MS})
    assert buy(ANNA, "key-of-anna").outcome == "admitted"
    assert buy(ANNA, "key-of-anna", 2).outcome == "conflict"
    assert buy_again() == "closed"
    valkey.hset(keys.gate(7), "open", "1")
    assert buy_again() == "not_started"
    valkey.hset(keys.gate(7), "starts_at_ms", now_ms - HOUR_MS)
    assert buy_again() == "ended"
    valkey.hset(keys.gate(7), "ends_at_ms", now_ms + HOUR_MS)
    assert buy_again() == "over_limit"
    valkey.hset(keys.gate(7), "per_user_limit", 2)
    assert buy_again() == "sold_out"
    valkey.hset(keys.gate(7), "stock", 1)
    assert buy_again() == "queue_full"
    valkey.hset(keys.counters(7), "acked", 1)
    assert buy_again() == "admitted"


@pytest.mark.parametrize("skew_s", [-7200, 7200])
def test_the_window_is_read_on_rediss_clock(valkey, open_sale, monkeypatch, skew_s):
    """A web machine whose clock is hours off neither starts a sale early nor keeps it open."""
    open_sale(starts=-1000, ends=HOUR_MS)
    real_s, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real_s() + skew_s)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + skew_s * 10**9)

    assert buy().outcome == "admitted"
    valkey.hset(keys.gate(7), "starts_at_ms", int(real_s() * 1000) + HOUR_MS)
    assert buy(BORIS).outcome == "not_started"


def test_the_price_is_the_one_at_admission(valkey, open_sale, now_ms):
    open_sale(price=1999)
    before = buy()
    gate.update_gate(sale_id=7, terms=Terms(2999, now_ms - HOUR_MS, now_ms + HOUR_MS, 5))

    assert buy().body == before.body
    assert json.loads(buy(BORIS).body)["price_cents"] == 2999


def test_money_and_counts_beyond_two_to_the_53_stay_exact(valkey, open_sale):
    open_sale(price=2**53 + 1)

    assert json.loads(buy().body)["price_cents"] == 2**53 + 1


def test_opening_again_moves_the_terms_and_never_the_stock(valkey, open_sale, now_ms):
    """Drill 5: a preheat that runs twice, or a node that restarts in mid-sale."""
    open_sale(stock=10)
    buy(quantity=3)

    terms = Terms(price_cents=500, starts_at_ms=now_ms - 1, ends_at_ms=now_ms + HOUR_MS, per_user_limit=9)
    opened = gate.open_gate(sale_id=7, terms=terms, stock=10, epoch=2)

    state = gate.read_state(7)
    assert not opened
    assert (state.stock, state.initial, state.epoch, state.seq) == (7, 10, 1, 1)
    assert (state.price_cents, state.per_user_limit) == (500, 9)


def test_an_update_never_makes_a_gate(valkey, now_ms):
    assert not gate.update_gate(sale_id=7, terms=Terms(1, now_ms, now_ms + 1, 1))
    assert everything(valkey) == {}


def test_what_comes_back_sells_again_and_gives_the_buyers_allowance_back(valkey, open_sale):
    open_sale(stock=1, limit=1)
    buy()

    assert gate.apply_movements(sale_id=7, movements=[Movement(ledger_id=5, quantity=1, user_id=ANNA)]) == [True]

    assert not valkey.hexists(keys.buyers(7), str(ANNA))
    assert buy(key="second-try").outcome == "admitted"


def test_a_movement_is_applied_once_per_ledger_id(valkey, open_sale):
    open_sale(stock=10)
    buy(quantity=3)
    back, more = Movement(ledger_id=5, quantity=2, user_id=ANNA), Movement(ledger_id=6, quantity=4)

    for _ in range(3):
        assert gate.apply_movements(sale_id=7, movements=[back, more, back]) == [True, True, True]

    state = gate.read_state(7)
    assert (state.stock, state.initial) == (7 + 2 + 4, 14)
    assert valkey.hget(keys.buyers(7), str(ANNA)) == "1"


def test_a_movement_without_a_gate_does_nothing(valkey):
    assert gate.apply_movements(sale_id=7, movements=[Movement(5, 1, ANNA)]) == [False]
    assert everything(valkey) == {}


def test_a_place_in_the_queue_counts_what_is_before_it(valkey, open_sale):
    open_sale()
    places = [buy(user).number for user in range(3)]
    assert places == [1, 2, 3]

    valkey.hset(keys.counters(7), "acked", 2)

    assert buy(2).number == 1
    assert buy(0).number == 0
    assert gate.read_state(7).worked_off == 2


def test_a_flushed_script_cache_is_refilled(valkey, open_sale):
    open_sale()
    valkey.script_flush()

    assert buy().outcome == "admitted"


@pytest.mark.parametrize("key", ["gate", "buyers", "answers", "log", "meta", "counters"])
def test_a_key_of_the_wrong_type_leaves_nothing_half_done(valkey, open_sale, key):
    """A script is isolated, not transactional: an error after the deduction would leave it."""
    open_sale()
    name = getattr(keys, key)(7)
    valkey.delete(name)
    valkey.set(name, "somebody else's")
    before = everything(valkey)

    with pytest.raises(GateBroken):
        buy()
    assert everything(valkey) == before


@pytest.mark.parametrize(
    ("key", "field"),
    [("gate", "stock"), ("gate", "seq"), ("gate", "price_cents"), ("meta", "appended"), ("buyers", str(ANNA))],
)
def test_a_number_that_is_none_leaves_nothing_half_done(valkey, open_sale, key, field):
    open_sale()
    valkey.hset(getattr(keys, key)(7), field, "1.5")
    before = everything(valkey)

    with pytest.raises(GateBroken):
        buy()
    assert everything(valkey) == before


@pytest.mark.parametrize("key", ["gate", "buyers", "applied"])
def test_a_return_into_a_key_of_the_wrong_type_is_not_half_done(valkey, open_sale, key):
    open_sale()
    name = getattr(keys, key)(7)
    valkey.delete(name)
    valkey.set(name, "somebody else's")
    before = everything(valkey)

    with pytest.raises(GateBroken):
        gate.apply_movements(sale_id=7, movements=[Movement(5, 1, ANNA)])
    assert everything(valkey) == before


def test_a_gate_that_can_not_be_opened_is_not_half_open(valkey, open_sale):
    valkey.set(keys.meta(7), "somebody else's")

    with pytest.raises(GateBroken):
        open_sale()
    assert not valkey.exists(keys.gate(7))


@pytest.mark.parametrize("key", ["short", "x" * 101, "with space", "semi;colon", "новый-ключ", "line\nbreak", ""])
def test_a_malformed_key_never_reaches_redis(valkey, key):
    with pytest.raises(ValueError, match="idempotency key"):
        buy(key=key)


@pytest.mark.parametrize("quantity", [0, -1, 101, 10**9])
def test_a_quantity_out_of_range_never_reaches_redis(valkey, quantity):
    with pytest.raises(ValueError, match="quantity"):
        buy(quantity=quantity)
