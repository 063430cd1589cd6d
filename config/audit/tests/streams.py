"""Sabotage of Redis: the gate, the logs, the groups. Much of it is what other shops' code does."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from config.audit.tests.sabotage import breaks
from config.audit.tests.scene import Scene
from inventory import keys as gate_keys
from queueing import keys
from queueing.conf import make_broker
from queueing.layout import Layout
from queueing.message import new_id
from shop.services import schedule_sale

REDIS: list[Any] = []
breaking = partial(breaks, into=REDIS)


@breaking(1)
def two_buyers_got_the_last_lamp(s: Scene) -> str:
    """Read the stock, then decrement it: both saw one."""
    lamp = gate_keys.gate(s.world.lamp.pk)
    s.redis.hset(lamp, "stock", 1)
    s.world.ask("jon", sale=s.world.lamp)
    s.redis.hset(lamp, "stock", -1)
    s.history[:] = s.world.history
    return f"sale {s.world.lamp.pk}: the gate has -1 units left"


@breaking(2)
def a_unit_leaked_from_the_gate(s: Scene) -> str:
    s.redis.hincrby(s.gate, "stock", -1)
    return f"sale {s.world.kettles.pk}: 6 initial + 2 added"


@breaking(2)
def a_unit_came_from_nowhere(s: Scene) -> str:
    s.redis.hincrby(s.gate, "stock", 1)
    return f"sale {s.world.kettles.pk}: 6 initial + 2 added"


@breaking(2)
def the_gate_took_in_what_the_ledger_never_moved(s: Scene) -> str:
    s.redis.sadd(f"{s.gate}:applied", 424242)
    return "took in movement 424242"


@breaking(2)
def the_gate_is_gone(s: Scene) -> str:
    s.redis.delete(s.gate)
    return f"sale {s.world.kettles.pk}: orders, but no gate in Redis"


@breaking(2, 4, 12)
def the_gate_forgot_that_it_took_a_return_in(s: Scene) -> str:
    row = s.pg.execute(
        "SELECT id FROM inventory_ledgerentry WHERE order_id = %s AND kind = 'return'", [s.order("dan")]
    ).fetchone()
    assert s.redis.srem(f"{s.gate}:applied", row[0]) == 1
    return f"return of 1 units (ledger {row[0]}) is not in the gate"


@breaking(12)
def a_return_never_reached_the_gate(s: Scene) -> str:
    row = s.pg.execute(
        "SELECT id FROM inventory_ledgerentry WHERE order_id = %s AND kind = 'return'", [s.order("dan")]
    ).fetchone()
    assert s.redis.srem(f"{s.gate}:applied", row[0]) == 1
    s.redis.hincrby(s.gate, "stock", -1)
    s.redis.hincrby(s.gate, "returned", -1)
    s.redis.hincrby(f"{s.gate}:buyers", str(s.world.users["dan"].pk), 1)
    return f"return of 1 units (ledger {row[0]}) is not in the gate"


@breaking(2)
def the_gate_miscounts_what_it_admits(s: Scene) -> str:
    """And the operator's live books with it."""
    s.redis.hincrby(s.gate, "units", 2)
    return "its gate counted 10 units admitted and 3 returned, there are 8 and 3"


@breaking(3, 5)
def the_gate_forgot_a_key(s: Scene) -> str:
    """And admitted it again, as a shop does whose idempotency keys run out."""
    assert s.redis.hdel(f"{s.gate}:answers", f"{s.world.users['bob'].pk}:bob-key-{s.world.kettles.pk}") == 1
    s.world.ask("bob")
    s.history[:] = s.world.history
    return f"user {s.world.users['bob'].pk}, key bob-key-{s.world.kettles.pk}: 2 orders"


@breaking(3, 6)
def an_order_nobody_had_read_was_trimmed(s: Scene) -> str:
    """MAXLEN on XADD, as most do."""
    s.world.ask("jon")
    s.history[:] = s.world.history
    s.redis.xtrim(s.log, maxlen=0, approximate=False)
    return f"order {s.order('jon')}: admitted for user {s.world.users['jon'].pk}, lost"


@breaking(3, 6)
def an_order_nobody_had_read_was_deleted(s: Scene) -> str:
    s.world.ask("jon")
    s.history[:] = s.world.history
    s.redis.xdel(s.log, s.redis.xrevrange(s.log, count=1)[0][0])
    return f"order {s.order('jon')}: admitted for user {s.world.users['jon'].pk}, lost"


@breaking(3, 7)
def an_order_was_acknowledged_before_it_was_done(s: Scene) -> str:
    s.world.ask("jon")
    s.history[:] = s.world.history
    for offset in s.read_and_forget("orders"):
        s.redis.xack(s.log, "orders", offset)
        for counter in ("acked", "done"):
            s.redis.hincrby(keys.counters("orders.placed", str(s.world.kettles.pk), "orders"), counter, 1)
    return "orders acknowledged orders.OrderPlaced"


@breaking(3, 6, 7)
def a_dead_consumer_was_removed_with_what_it_held(s: Scene) -> str:
    """XGROUP DELCONSUMER on scale-in."""
    s.world.ask("jon")
    s.history[:] = s.world.history
    s.read_and_forget("orders")
    s.redis.xgroup_delconsumer(s.log, "orders", "nobody")
    return f"order {s.order('jon')}: admitted for user {s.world.users['jon'].pk}, lost"


@breaking(3, 6, 7)
def a_group_was_started_at_the_end(s: Scene) -> str:
    """XGROUP CREATE … $ skips what came before."""
    s.world.ask("jon")
    s.history[:] = s.world.history
    s.redis.xgroup_setid(s.log, "orders", "$")
    return f"order {s.order('jon')}: admitted for user {s.world.users['jon'].pk}, lost"


@breaking(4)
def a_buyer_got_past_the_limit(s: Scene) -> str:
    s.redis.hset(s.gate, "per_user_limit", 3)
    s.world.ask("gus", key="gus-third-unit")
    s.world.settle()
    s.redis.hset(s.gate, "per_user_limit", 2)
    s.history[:] = s.world.history
    return f"sale {s.world.kettles.pk}, user {s.world.users['gus'].pk}: 3 units in live orders, limit 2"


@breaking(4)
def the_gate_forgot_what_a_buyer_has(s: Scene) -> str:
    s.redis.hdel(f"{s.gate}:buyers", s.world.users["gus"].pk)
    return f"user {s.world.users['gus'].pk}: the gate counts 0 units, admitted and not returned are 2"


@breaking(5)
def the_gate_lost_an_answer(s: Scene) -> str:
    s.redis.hdel(f"{s.gate}:answers", f"{s.world.users['cleo'].pk}:cleo-key-{s.world.kettles.pk}")
    return f"order {s.order('cleo')} was admitted and Redis has no answer for it"


@breaking(5)
def the_gate_would_answer_another_price(s: Scene) -> str:
    field = f"{s.world.users['cleo'].pk}:cleo-key-{s.world.kettles.pk}"
    answer = s.redis.hget(f"{s.gate}:answers", field)
    s.redis.hset(f"{s.gate}:answers", field, answer.replace(b'"price_cents":4900', b'"price_cents":1'))
    return f"Redis answers order {s.order('cleo')}, 1 units at 1"


@breaking(6)
def an_acknowledgement_was_counted_twice(s: Scene) -> str:
    s.redis.hincrby(keys.counters("orders.placed", str(s.world.kettles.pk), "notifications"), "acked", 1)
    return f"orders.placed/{s.world.kettles.pk}, notifications: 8 acknowledged by the counter"


@breaking(6)
def a_move_to_another_partition_was_counted_and_not_made(s: Scene) -> str:
    s.redis.hincrby(keys.counters("orders.placed", str(s.world.kettles.pk), "orders"), "moved", 1)
    return f"orders.placed/{s.world.kettles.pk}, orders: 7 done + 0 held by the group + 0 purged, but 7"


@breaking(6)
def an_event_was_told_to_a_partition_that_its_key_had_left(s: Scene) -> str:
    """By a producer that nobody had told that the topic grew."""
    broker = make_broker()
    broker.grow("orders.events", 8)
    key = next(key for key in map(str, range(99)) if Layout(8).partition_of(key) == "5")
    s.redis.xadd(keys.log("orders.events", "1"), {"id": new_id(), "k": key, "n": "tests.Nothing"})
    s.redis.hincrby(keys.meta("orders.events", "1"), "appended", 1)
    broker.redis.close()
    return f"of key {key} was appended there, and the key belongs to 5"


@breaking(6)
def a_delayed_message_left_and_never_arrived(s: Scene) -> str:
    where = s.remind()
    s.redis.hincrby(keys.meta(*where), "moved", -1)
    return f"{where[0]}/{where[1]}: 1 scheduled + -1 moved here, but 0 promoted + 0 cancelled + 1 waiting"


@breaking(6)
def something_done_was_not_counted(s: Scene) -> str:
    s.redis.hincrby(keys.counters("orders.placed", str(s.world.kettles.pk), "orders"), "done", -1)
    return f"orders.placed/{s.world.kettles.pk}, orders: 6 done + 0 held by the group + 0 purged, but 7 acknowledged"


@breaking(6)
def an_entry_came_past_the_counter(s: Scene) -> str:
    s.redis.xadd(s.log, {"n": "orders.OrderPlaced", "b": "{}"})
    return f"orders.placed/{s.world.kettles.pk}: 7 appended by the counter, 8 by Redis"


@breaking(6)
def a_delayed_message_vanished(s: Scene) -> str:
    """Promoted by a crash-prone two-step: read it, remove it, and then append it."""
    where = s.remind()
    message_id = s.redis.zpopmin(keys.later(*where))[0][0].decode()
    s.redis.hdel(keys.drafts(*where), message_id, f"{message_id}:b")
    return f"orders.placed/{s.world.kettles.pk}: 1 scheduled + 0 moved here, but 0 promoted + 0 cancelled + 0 waiting"


@breaking(6)
def a_delayed_message_lost_its_body(s: Scene) -> str:
    where = s.remind()
    [message_id] = s.redis.zrange(keys.later(*where), 0, -1)
    s.redis.hdel(keys.drafts(*where), message_id)
    return f"delayed message {message_id.decode()} is only in later"


@breaking(6)
def a_delayed_message_came_before_its_time(s: Scene) -> str:
    where = s.remind()
    [message_id] = s.redis.zrange(keys.later(*where), 0, -1)
    s.redis.zadd(keys.later(*where), {message_id: 1})
    s.world.settle()
    due_ms = int(s.redis.xrevrange(s.log, count=1)[0][0].split(b"-")[0]) + 60_000
    s.rewrite(s.log, lambda entries: entries[-1].update({b"d": str(due_ms).encode()}))
    return f"message {message_id.decode()} came 60000 ms before it was due"


@breaking(6, 7)
def a_trim_was_not_counted(s: Scene) -> str:
    """So nothing says why the first order's birth is told nowhere."""
    log = next(log for log in s.logs("orders.events") if s.redis.xlen(log))  # keys are random: one may be empty
    length = s.redis.xlen(log)
    assert s.redis.xtrim(log, maxlen=length - 1, approximate=False) == 1
    return f"{length} appended, but {length - 1} in the log + 0 trimmed"


@breaking(6)
def a_dead_letter_has_no_envelope(s: Scene) -> str:
    where = ("orders.placed", str(s.world.kettles.pk), "orders")
    s.redis.zadd(keys.dead(*where), {"0198f000-0000-7000-8000-000000000000": 1})
    s.redis.hincrby(keys.counters(*where), "done", -1)
    return "message 0198f000-0000-7000-8000-000000000000: in dead without its envelope"


@breaking(6)
def a_parked_message_waits_behind_nobody(s: Scene) -> str:
    """Its key was released, and what waited was not woken."""
    where, message_id = s.park()
    s.redis.delete(keys.heads(*where))
    return f"message {message_id} is parked behind nobody"


@breaking(3, 6, 7)
def a_parked_message_was_forgotten(s: Scene) -> str:
    where, _ = s.park()
    s.redis.zpopmin(keys.parked(*where))
    return f"orders.placed/{where[1]}, orders: 7 done + 1 held by the group + 0 purged, but 9 acknowledged"


@breaking(3, 7)
def an_order_was_purged(s: Scene) -> str:
    """By an operator, as it should be done: the books are right, and the buyer still has no order."""
    s.purge()
    return f"order {s.order('jon')}: admitted for user {s.world.users['jon'].pk}, and purged from the dead letters"


@breaking(3, 6, 7)
def a_purge_was_not_counted(s: Scene) -> str:
    where, _ = s.purge()
    s.redis.hincrby(keys.counters(*where), "purged", -1)
    return f"orders.placed/{where[1]}, orders: 7 done + 0 held by the group + 0 purged, but 8 acknowledged"


@breaking(3, 6, 7)
def a_purge_left_no_name(s: Scene) -> str:
    where, _ = s.purge()
    s.redis.delete(keys.purged(*where))
    return f"orders.placed/{where[1]}, orders: 1 purged by the counter, 0 messages named"


@breaking(6)
def a_living_message_is_quarantined(s: Scene) -> str:
    where, message_id = s.park()
    s.redis.sadd(keys.quarantined(*where), message_id)
    return f"message {message_id} is quarantined and not dead"


@breaking(6)
def an_event_was_deleted_from_the_middle(s: Scene) -> str:
    log, offset = next(
        (log, offset)
        for log in s.logs("orders.events")
        for offset, fields in s.redis.xrange(log)[1:-1]
        if fields[b"n"] == b"inventory.StockDeducted"
    )
    s.redis.xdel(log, offset)
    return "were deleted one by one"


@breaking(7)
def events_of_one_order_changed_places(s: Scene) -> str:
    def swap(entries: list[dict[bytes, bytes]]) -> None:
        order = s.order("cleo").encode()
        mine = [entry for entry in entries if entry[b"k"] == order and entry[b"n"].startswith(b"orders.")]
        if mine:
            first, second = mine
            (first[b"n"], second[b"n"]) = (second[b"n"], first[b"n"])
            (first[b"id"], second[b"id"]) = (second[b"id"], first[b"id"])

    for log in s.logs("orders.events"):
        s.rewrite(log, swap)
    return f"order {s.order('cleo')}: orders.OrderConfirmed was told before what it follows"


@breaking(7)
def an_event_was_never_told(s: Scene) -> str:
    """The relay deleted a row of its outbox that it had not produced."""

    def rename(entries: list[dict[bytes, bytes]]) -> None:
        for entry in entries:
            if (entry[b"k"], entry[b"n"]) == (s.order("cleo").encode(), b"orders.OrderConfirmed"):
                entry[b"n"] = b"other.Thing"

    for log in s.logs("orders.events"):
        s.rewrite(log, rename)
    return f"order {s.order('cleo')}: confirmed, and nobody was told"


@breaking(9)
def the_gate_sold_at_a_price_of_its_own(s: Scene) -> str:
    s.redis.hset(s.gate, "price_cents", 1)
    s.world.ask("jon")
    s.redis.hset(s.gate, "price_cents", 4900)
    s.world.settle()
    s.history[:] = s.world.history
    return f"order {s.order('jon')}: admitted at 1 cents"


@breaking(11)
def the_gate_opened_early(s: Scene) -> str:
    opens = timezone.now() + timedelta(hours=1)
    early = schedule_sale(
        product=s.world.kettles.product, price_cents=100, stock=1, per_user_limit=1, starts_at=opens,
        ends_at=opens + timedelta(hours=1),
    )  # fmt: skip
    s.world.settle()
    s.redis.hset(gate_keys.gate(early.pk), "starts_at_ms", 0)
    s.world.ask("jon", sale=early)
    s.redis.hset(gate_keys.gate(early.pk), "starts_at_ms", round(time.time() * 1000) + 3_600_000)
    s.world.settle()
    s.history[:] = s.world.history
    return f"order {s.order('jon')}: admitted at"


@breaking(10)
def the_gate_counts_backwards(s: Scene) -> str:
    s.redis.hset(s.gate, "seq", 1)
    return "and its gate has counted to 1"


@breaking(10)
def another_redis_admits_than_was_approved(s: Scene) -> str:
    s.redis.set(gate_keys.APPROVED, "a-life-before")
    return "approved is a-life-before"
