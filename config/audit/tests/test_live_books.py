"""The operator's live books and the audit look at one world, by counters and by entries, and agree on what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from config.audit.evidence import open_session
from config.audit.tests.world import World
from config.audit.verdict import Verdict
from config.room.books import Books, look
from inventory import keys
from queueing import keys as queue_keys
from queueing.testing import drain

pytestmark = pytest.mark.django_db


def books(world: World) -> Books:
    found = look([world.kettles.pk])[world.kettles.pk].books
    assert found is not None
    return found


def test_all_is_in_one_place_and_the_audit_says_so_too(world: World, audit: Callable[..., Verdict]) -> None:
    found = books(world)

    # ada and bob paid, cleo still may, gus has two; dan, eve and finn gave theirs back.
    assert (found.initial, found.added, found.remaining, found.sold) == (6, 2, 3, 5)
    assert (found.in_flight, found.coming_back, found.coming_in, found.difference) == (0, 0, 0, 0)
    assert audit().broken == 0


def test_an_order_on_its_way_is_in_flight_and_then_sold(world: World) -> None:
    world.ask("hal")
    found = books(world)
    assert (found.in_flight, found.sold, found.remaining, found.difference) == (1, 5, 2, 0)

    drain()
    found = books(world)
    assert (found.in_flight, found.sold, found.remaining, found.difference) == (0, 6, 2, 0)


def test_units_that_come_back_are_on_their_way_until_the_gate_has_them(world: World) -> None:
    world.expire("cleo")
    assert books(world).difference == 0
    world.settle()
    found = books(world)
    assert (found.remaining, found.sold, found.coming_back, found.difference) == (4, 4, 0, 0)


@pytest.mark.parametrize(("by", "missing"), [(-2, 2), (3, -3)])
def test_a_stock_that_somebody_changed_is_missed(
    world: World, client: redis.Redis, audit: Callable[..., Verdict], by: int, missing: int
) -> None:
    client.hincrby(keys.gate(world.kettles.pk), "stock", by)

    assert (books(world).missing, books(world).difference) == (missing, abs(missing))
    assert [finding.rule.number for finding in audit().findings if not finding.ok] == [2]


def test_an_order_without_a_row_is_unfound(world: World) -> None:
    with open_session() as pg:
        pg.execute("DELETE FROM orders_order WHERE id = %s", [world.orders["ada"]])
        pg.commit()

    assert (books(world).unfound, books(world).in_flight) == (1, 1)
    assert books(world).difference == 1


def test_a_dead_order_is_in_flight_until_somebody_throws_it_away(world: World, client: redis.Redis) -> None:
    where = (keys.TOPIC, str(world.kettles.pk), keys.GATE_GROUP)
    world.ask("hal")
    # As burying does: acknowledged, and among the dead.
    client.hincrby(queue_keys.counters(*where), "acked", 1)
    client.zadd(queue_keys.dead(*where), {"hals-order": 1})
    assert (books(world).in_flight, books(world).difference) == (1, 0)

    client.zrem(queue_keys.dead(*where), "hals-order")

    assert (books(world).in_flight, books(world).unfound) == (1, 1)


def test_a_row_that_nobody_was_admitted_for_is_unasked(world: World) -> None:
    with open_session() as pg:
        pg.execute(
            "INSERT INTO orders_order SELECT gen_random_uuid(), sale_id, user_id, 'forged', quantity, price_cents,"
            " total_cents, status, epoch, seq, placed_at, created_at, updated_at, due_at, tracking_number,"
            " reject_reason FROM orders_order WHERE id = %s",
            [world.orders["ada"]],
        )
        pg.commit()

    assert books(world).unasked == 1


def test_a_return_that_came_twice_is_overdone(world: World, client: redis.Redis) -> None:
    gate = keys.gate(world.kettles.pk)
    for field in ("stock", "returned"):
        client.hincrby(gate, field, 1)

    assert (books(world).overdone, books(world).missing) == (1, 0)


def test_an_addition_that_nobody_made_is_overdone(world: World, client: redis.Redis) -> None:
    gate = keys.gate(world.kettles.pk)
    for field in ("stock", "initial"):
        client.hincrby(gate, field, 4)

    assert (books(world).overdone, books(world).missing) == (4, 0)


def test_an_addition_is_coming_in_until_the_gate_has_it(world: World) -> None:
    with open_session() as pg:  # as the ledger is between its own entry and the gate
        pg.execute("UPDATE inventory_salestock SET added = added + 5 WHERE sale_id = %s", [world.kettles.pk])
        pg.commit()

    assert (books(world).coming_in, books(world).given, books(world).difference) == (5, 13, 0)


def test_a_gate_that_was_opened_before_it_kept_count_has_no_books(world: World, client: redis.Redis) -> None:
    client.hdel(keys.gate(world.kettles.pk), "units", "returned", "before")
    world.ask("hal")

    found = look([world.kettles.pk])[world.kettles.pk]

    assert found.books is None
    assert found.gate is not None
    assert found.gate.stock == 2
    assert not client.hexists(keys.gate(world.kettles.pk), "units"), "a count that began in the middle would be wrong"


def test_a_sale_without_a_gate_has_none(world: World) -> None:
    assert (look([999])[999].gate, look([999])[999].books) == (None, None)
