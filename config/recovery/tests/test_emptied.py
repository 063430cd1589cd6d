"""Redis is emptied in the middle of a sale: refused, declared, rebuilt, nothing with a row is lost."""

from __future__ import annotations

from functools import partial

import pytest

from config.audit.evidence import gather
from config.audit.verdict import judge
from config.recovery.tests.shop import Shop
from config.recovery.turn import turn
from config.room.books import look
from inventory import approval, gate, keys
from inventory.gate import Movement
from inventory.models import LedgerEntry, Rebuild
from orders import handlers
from orders.errors import Refused
from orders.events import OrderPlaced
from orders.models import Order
from payments.services import cancel_payment
from queueing.conf import make_broker, subscriptions
from queueing.consumer import make_worker
from queueing.relay import Relay
from queueing.testing import drain


def test_orders_with_a_row_stay_and_those_without_are_void(shop: Shop) -> None:
    kept = shop.buy("ada", quantity=2)
    drain()
    lost = shop.buy("bob")

    shop.client.flushdb()

    with pytest.raises(Refused, match="unavailable"):
        shop.buy("cleo")
    assert shop.status(lost) == "queued", "nobody has declared it yet"
    done = turn()
    assert done.lost == {shop.sale.pk: "its gate is gone"}
    assert shop.gate is not None
    assert (shop.gate.stock, shop.gate.epoch, shop.gate.is_open) == (8, 2, True)
    assert shop.status(lost) == "void"
    assert shop.status(kept) == "confirmed"


def test_a_key_of_before_is_answered_as_before_and_a_void_one_buys_anew(shop: Shop) -> None:
    kept, lost = shop.buy("ada", quantity=2), None
    drain()
    lost = shop.buy("bob")
    shop.client.flushdb()
    turn()

    assert shop.buy("ada", quantity=2).token == kept.token
    with pytest.raises(Refused, match="idempotency_conflict"):
        shop.buy("ada", quantity=1)
    with pytest.raises(Refused, match="over_limit"):
        shop.buy("ada", key="ada-wants-more")
    again = shop.buy("bob")
    assert again.order_id != lost.order_id
    drain()
    assert {order.id for order in Order.objects.all()} == {kept.order_id, again.order_id}


def test_a_consumer_that_still_holds_a_lost_order_writes_no_row(shop: Shop) -> None:
    """It read the entry before the accident and commits after the gate was rebuilt without that unit."""

    lost = shop.buy("bob")
    [(_, fields)] = shop.client.xrange(keys.log(shop.sale.pk))
    shop.client.flushdb()
    turn()

    handlers.placed([OrderPlaced.decode(fields[b"b"])])

    assert not Order.objects.exists()
    assert shop.status(lost) == "void"
    assert shop.gate is not None
    assert shop.gate.stock == 10


def test_returns_are_in_the_rebuilt_gate_once(shop: Shop) -> None:

    placed = shop.buy("ada")
    drain()
    cancel_payment(order_id=placed.order_id)
    drain()
    shop.client.flushdb()
    turn()

    assert shop.gate is not None
    assert shop.gate.stock == 10
    [back] = LedgerEntry.objects.filter(kind="return")

    assert gate.apply_movements(sale_id=shop.sale.pk, movements=[Movement(back.id, 1, back.user_id)]) == [True]
    assert shop.gate.stock == 10
    assert shop.buy("ada", key="ada-tries-again", quantity=2).receipt.epoch == 2
    found = look([shop.sale.pk])[shop.sale.pk].books
    assert found is not None
    assert (found.in_flight, found.coming_back, found.difference) == (2, 0, 0)


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 6, 7, 9])
def test_every_order_comes_to_its_end_wherever_the_messages_were(shop: Shop, steps: int) -> None:
    """Emptied after so many steps of relay and consumers: whatever event was under way is told again from rows."""

    paid, unpaid = shop.buy("ada"), shop.buy("bob")
    cancelled = shop.buy("cleo")
    drain()
    shop.pay(paid.order_id)

    cancel_payment(order_id=cancelled.order_id)
    late = shop.buy("dan")
    broker = make_broker()
    relay = Relay(broker)
    relay.own_lanes()
    workers = [make_worker(subscription, broker, collect_s=0) for subscription in subscriptions().values()]
    moves = 3 * [relay.step, *(partial(worker.step, 0) for worker in workers)]
    for move in moves[:steps]:
        move()
    relay.release_lanes()
    broker.redis.close()
    had_row = Order.objects.filter(id=late.order_id).exists()

    shop.client.flushdb()
    turn()
    drain()

    expected = {paid.order_id: "shipped", unpaid.order_id: "confirmed", cancelled.order_id: "cancelled"}
    if had_row:
        expected[late.order_id] = "confirmed"
    assert shop.statuses() == expected
    assert shop.gate is not None
    assert shop.gate.stock == 10 - len(expected) + 1
    assert not LedgerEntry.objects.filter(applied_at=None, kind__in=["add", "return"]).exists()


def test_a_well_redis_is_left_alone(shop: Shop) -> None:
    shop.buy("ada")

    assert turn(thorough=True).lost == {}

    assert not Rebuild.objects.exists()
    assert shop.gate is not None
    assert shop.gate.epoch == 1


def test_a_buyers_token_is_witness_enough_when_nobody_else_remembers(shop: Shop) -> None:
    """Everything died together, Redis came back without the last order, and PostgreSQL never heard of it."""
    lost = shop.buy("bob")
    sale = shop.sale.pk
    shop.client.delete(keys.log(sale), keys.meta(sale), keys.buyers(sale), keys.answers(sale))
    shop.client.hset(keys.gate(sale), mapping={"seq": 0, "stock": 10})
    approval.forget()
    assert turn(thorough=True).lost == {}

    assert shop.status(lost) == "queued"

    assert list(turn().lost) == [sale]
    assert shop.status(lost) == "void"
    assert shop.gate is not None
    assert (shop.gate.stock, shop.gate.epoch) == (10, 2)


def test_the_audit_finds_every_unit_in_a_rebuilt_gate_that_nobody_has_bought_from_since(
    shop: Shop,
) -> None:
    """The gate counts from 0 again, and holds the answers of an epoch in which it had counted to 2."""
    shop.buy("ada")
    shop.buy("bob")
    drain()
    shop.client.flushdb()
    turn()
    drain()

    with gather(faults=["redis_data_lost"]) as evidence:
        verdict = judge(evidence, has_history=False)

    assert verdict.broken == 0, "\n".join(verdict.as_text())
    assert verdict.counts["admitted"] == 2
    found = look([shop.sale.pk])[shop.sale.pk].books
    assert found is not None
    assert (found.sold, found.remaining, found.in_flight, found.difference) == (2, 8, 0, 0)
