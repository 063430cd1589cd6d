"""A poison message at the head of a sale's partition, with the whole shop behind it and the audit at every stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest

from config.audit.tests.world import World
from config.audit.verdict import Verdict
from inventory.gate import read_state
from inventory.models import LedgerEntry
from orders.events import OrderPlaced
from orders.handlers import placed
from orders.models import Order
from queueing.conf import make_broker, subscriptions
from queueing.consumer import make_worker
from queueing.retry import RetryPolicy

pytestmark = pytest.mark.django_db


def test_drill_10_a_poison_message_at_the_head_is_parked_with_its_reservation_and_its_replay_deducts_once(
    world: World, audit: Callable[..., Verdict]
) -> None:
    def judged(*broken: int) -> Verdict:
        verdict = audit()
        assert [finding.rule.number for finding in verdict.findings if not finding.ok] == [*broken], verdict
        return verdict

    def left() -> int:
        state = read_state(world.kettles.pk)
        assert state is not None
        return state.stock

    def choke(events: Sequence[OrderPlaced]) -> None:
        if any(event.order_id == poison for event in events):
            raise ValueError("it cannot be swallowed")
        placed(events)

    broker = make_broker()
    world.ask("jon")
    poison, reserved = world.orders["jon"], left()
    world.ask("bob", key="bob-wants-another")
    ours = subscriptions()["orders"]
    choking = dataclasses.replace(
        ours, handlers={**ours.handlers, OrderPlaced: choke}, retry=RetryPolicy(max_attempts=1)
    )

    make_worker(choking, broker, collect_s=0).step(0)
    world.settle()

    # Parked: what came behind it in its partition is done, and its unit is nobody else's.
    [buried] = broker.dead_letters("orders", "orders.placed", str(world.kettles.pk))
    assert (buried.letter.attempts, buried.letter.reason) == (1, "ValueError: it cannot be swallowed")
    assert Order.objects.get(pk=world.orders["bob"]).status == "confirmed"
    assert not Order.objects.filter(pk=poison).exists()
    assert left() == reserved - 1
    # Nothing is lost or oversold; that a unit is neither sold nor for sale until somebody replays it, liveness says.
    assert any(poison in line and line.endswith("dead") for line in judged(12).unresolved)

    assert broker.replay([buried]) == 1
    judged()
    assert broker.replay([buried]) == 0, "a second replay of the same letter changes nothing"
    world.settle()
    assert broker.replay([buried]) == 0

    assert Order.objects.get(pk=poison).status == "confirmed"
    assert LedgerEntry.objects.filter(order_id=poison, kind="deduct").count() == 1
    assert left() == reserved - 1
    assert judged().unresolved == ()
    broker.redis.close()
