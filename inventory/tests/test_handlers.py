"""The ledger hears the house's events, and the gate follows the ledger."""

from __future__ import annotations

import contextlib
import uuid

import pytest
from django.db import IntegrityError, transaction
from msgspec import structs

from inventory import gate, handlers, keys
from inventory.events import SaleStockAdded, StockDeducted, StockRejected, StockReturned
from inventory.models import LedgerEntry, SaleStock
from orders.events import OrderCancelled, OrderCreated, OrderExpired, OrderRejected
from queueing.errors import NotYet, StoreUnavailable
from queueing.event import event_class
from queueing.message import new_id
from queueing.models import OutboxMessage
from shop.events import SaleScheduled, StockAdded

pytestmark = pytest.mark.django_db

ANNA, BORIS = 101, 102
HOUR_MS = 3_600_000


@pytest.fixture
def scheduled(now_ms):
    """Sale 7 with some units, in the ledger and at the gate."""

    def schedule(stock=10, *, price=1999, limit=10):
        handlers.open_sales([sale(now_ms, stock, price=price, limit=limit)])

    return schedule


def sale(now_ms, stock=10, *, price=1999, limit=10):
    return SaleScheduled(
        sale_id=7,
        title="Copper kettle",
        picture="pictures/kettle.svg",
        price_cents=price,
        stock=stock,
        per_user_limit=limit,
        starts_at_ms=now_ms - HOUR_MS,
        ends_at_ms=now_ms + HOUR_MS,
    )


def test_the_gate_follows_the_switch_of_the_waiting_room(scheduled, now_ms, valkey):
    scheduled()
    assert valkey.hget(keys.gate(7), "room") == "off"

    handlers.open_sales([structs.replace(sale(now_ms), waiting_room="on", turns_per_s=250, turn_s=30)])

    assert valkey.hmget(keys.gate(7), "room", "turns_per_s", "turn_s") == ["on", "250", "30"]
    assert gate.read_state(7).room == "on"


def test_a_pause_and_a_notice_arrive_at_the_gate_and_in_what_a_rebuild_begins_with(scheduled, now_ms):
    scheduled()

    handlers.open_sales([structs.replace(sale(now_ms), paused=True, notice="Back at noon", revision=3)])

    state = gate.read_state(7)
    assert (state.state, state.notice, state.revision) == ("paused", "Back at noon", 3)
    terms = SaleStock.objects.get(sale_id=7).terms
    assert (terms["paused"], terms["notice"], terms["revision"]) == (True, "Back at noon", 3)


def test_a_change_that_is_told_again_after_a_newer_one_changes_nothing(scheduled, now_ms):
    scheduled()
    handlers.open_sales([structs.replace(sale(now_ms), paused=True, revision=3)])

    handlers.open_sales([structs.replace(sale(now_ms), revision=2)])

    assert gate.read_state(7).paused
    assert SaleStock.objects.get(sale_id=7).terms["revision"] == 3


def created(quantity=1, *, order_id=None, user_id=ANNA, sale_id=7):
    return OrderCreated(
        order_id=order_id or new_id(),
        sale_id=sale_id,
        user_id=user_id,
        quantity=quantity,
        total_cents=quantity * 1999,
        placed_at_ms=1,
    )


def ending(order, kind=OrderExpired):
    extra = {"reason": "none left"} if kind is OrderRejected else {}
    return kind(order_id=order.order_id, sale_id=order.sale_id, user_id=order.user_id, quantity=order.quantity, **extra)


def told():
    """What was published since the last look."""
    events = [event_class(row.name, 1).decode(row.body.encode()) for row in OutboxMessage.objects.order_by("id")]
    OutboxMessage.objects.all().delete()
    return events


@contextlib.contextmanager
def rolled_back():
    """What PostgreSQL is told in here is undone; what Redis is told stays."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def sold():
    return SaleStock.objects.get(sale_id=7).sold


def test_a_scheduled_sale_opens_its_gate_from_the_ledger(valkey, scheduled):
    scheduled(stock=10)

    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.quantity, entry.sale_id) == ("open", 10, 7)
    assert entry.applied_at is not None
    assert gate.read_state(7).stock == 10


def test_a_sale_scheduled_again_moves_its_terms_only(valkey, scheduled):
    scheduled(stock=10)
    gate.admit_sync(sale_id=7, user_id=ANNA, idempotency_key="first-try", quantity=2)

    scheduled(stock=99, price=500)

    state = gate.read_state(7)
    assert (state.stock, state.price_cents) == (8, 500)
    assert SaleStock.objects.get().initial == 10
    assert LedgerEntry.objects.count() == 1


def test_a_gate_lost_with_rediss_data_is_not_opened_again_by_the_shop(valkey, scheduled):
    """It admitted orders that the ledger does not know: opened afresh it would sell their units twice."""
    scheduled(stock=10)
    valkey.flushdb()

    scheduled(stock=10, price=500)

    assert gate.read_state(7) is None


def test_drill_05_an_opening_whose_transaction_failed_is_repeated_without_a_second_stock(valkey, now_ms):
    with rolled_back():
        handlers.open_sales([sale(now_ms)])
        gate.admit_sync(sale_id=7, user_id=ANNA, idempotency_key="first-try", quantity=2)

    handlers.open_sales([sale(now_ms)])

    assert gate.read_state(7).stock == 8
    assert LedgerEntry.objects.get().applied_at is not None


def test_added_stock_is_in_the_ledger_once_and_then_at_the_gate_once(valkey, scheduled):
    scheduled(stock=10)
    more = StockAdded(sale_id=7, addition_id=str(uuid.uuid4()), quantity=5)

    handlers.add_stock([more, more])
    handlers.add_stock([more])
    [added] = told()

    assert isinstance(added, SaleStockAdded)
    assert SaleStock.objects.get().added == 5
    assert gate.read_state(7).stock == 10, "the gate follows when it hears of it"

    handlers.apply_to_gate([added])
    handlers.apply_to_gate([added])

    assert gate.read_state(7).stock == 15
    assert LedgerEntry.objects.get(kind="add").applied_at is not None


def test_a_batch_of_orders_is_deducted_in_one_go(valkey, scheduled):
    scheduled(stock=10)
    orders = [created(2), created(3), created(1)]

    handlers.deduct(orders)

    assert sold() == 6
    assert told() == [StockDeducted(order_id=order.order_id, sale_id=7, quantity=order.quantity) for order in orders]


def test_when_not_all_fit_the_earliest_orders_get_the_units(valkey, scheduled):
    scheduled(stock=4)
    orders = [created(2), created(1), created(2), created(1)]

    handlers.deduct(list(reversed(orders)))

    outcome = {event.order_id: type(event) for event in told()}
    assert [outcome[order.order_id] for order in orders] == [
        StockDeducted,
        StockDeducted,
        StockRejected,
        StockDeducted,
    ]
    assert sold() == 4


def test_an_order_told_twice_is_deducted_once(valkey, scheduled):
    scheduled(stock=10)
    order = created(2)

    handlers.deduct([order, order])
    handlers.deduct([order])

    assert sold() == 2
    assert len(told()) == 1


def test_the_database_itself_refuses_an_oversell(scheduled):
    scheduled(stock=3)

    with pytest.raises(IntegrityError, match="sold_within_stock"), transaction.atomic():
        SaleStock.objects.update(sold=4)
    with pytest.raises(IntegrityError, match="sold_within_stock"), transaction.atomic():
        SaleStock.objects.update(sold=-1)


def test_orders_of_two_sales_are_counted_apart(valkey, scheduled, now_ms):
    scheduled(stock=10)
    SaleStock.objects.create(sale_id=8, initial=1)

    handlers.deduct([created(2), created(1, sale_id=8), created(1, sale_id=8)])

    assert sold() == 2
    assert SaleStock.objects.get(sale_id=8).sold == 1
    assert [type(event) for event in told()] == [StockDeducted, StockDeducted, StockRejected]


@pytest.mark.parametrize("kind", [OrderRejected, OrderCancelled, OrderExpired])
def test_an_order_that_ended_frees_its_units_once(valkey, scheduled, kind):
    scheduled(stock=10)
    order = created(2)
    handlers.deduct([order])
    told()

    handlers.give_back([ending(order, kind), ending(order, kind)])
    handlers.give_back([ending(order, kind)])

    [back] = told()
    assert (back.order_id, back.user_id, back.quantity) == (order.order_id, ANNA, 2)
    assert sold() == 0
    assert LedgerEntry.objects.filter(kind="return").count() == 1


def test_two_endings_of_one_order_return_its_units_once(valkey, scheduled):
    """A cancel and an expiry that crossed."""
    scheduled(stock=10)
    order = created(2)
    handlers.deduct([order])

    handlers.give_back([ending(order, OrderCancelled)])
    handlers.give_back([ending(order, OrderExpired)])

    assert sold() == 0
    assert sum(isinstance(event, StockReturned) for event in told()) == 1


def test_a_rejected_order_gives_the_gates_unit_back_though_the_ledger_deducted_none(valkey, scheduled):
    scheduled(stock=1)
    handlers.deduct([created(1), late := created(1)])
    told()

    handlers.give_back([ending(late, OrderRejected)])

    [back] = told()
    assert isinstance(back, StockReturned)
    assert sold() == 1


def test_the_gate_takes_a_return_in_once_and_the_ledger_notes_it(valkey, scheduled):
    scheduled(stock=10)
    gate.admit_sync(sale_id=7, user_id=ANNA, idempotency_key="first-try", quantity=2)
    order = created(2)
    handlers.deduct([order])
    handlers.give_back([ending(order)])
    back = next(event for event in told() if isinstance(event, StockReturned))

    handlers.apply_to_gate([back])
    handlers.apply_to_gate([back])

    assert gate.read_state(7).stock == 10
    assert not valkey.hexists(keys.buyers(7), str(ANNA))
    assert LedgerEntry.objects.get(kind="return").applied_at is not None


def test_a_return_applied_before_a_rollback_is_not_applied_twice(valkey, scheduled):
    """The process dies between Redis and the commit: the event comes again."""
    scheduled(stock=10)
    gate.admit_sync(sale_id=7, user_id=ANNA, idempotency_key="first-try", quantity=2)
    order = created(2)
    handlers.deduct([order])
    handlers.give_back([ending(order)])
    back = next(event for event in told() if isinstance(event, StockReturned))

    with rolled_back():
        handlers.apply_to_gate([back])
    handlers.apply_to_gate([back])

    assert gate.read_state(7).stock == 10


def test_what_comes_before_its_sale_waits(valkey, scheduled):
    order, more = created(), StockAdded(sale_id=7, addition_id="addition-1", quantity=1)
    for handle, event in (
        (handlers.deduct, order),
        (handlers.add_stock, more),
        (handlers.give_back, ending(order)),
        (handlers.apply_to_gate, SaleStockAdded(sale_id=7, quantity=1, ledger_id=1)),
    ):
        with pytest.raises(NotYet) as early, transaction.atomic():
            handle([event])
        assert early.value.events == (event,)
    assert not LedgerEntry.objects.exists()


def test_only_the_early_part_of_a_batch_waits(valkey, scheduled):
    scheduled()
    known, unknown = created(), created(sale_id=8)

    with pytest.raises(NotYet) as early:
        handlers.deduct([known, unknown])

    assert early.value.events == (unknown,)


def test_redis_being_away_counts_no_attempt(settings, now_ms):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(StoreUnavailable), transaction.atomic():
        handlers.open_sales([sale(now_ms)])
    assert not SaleStock.objects.exists()
