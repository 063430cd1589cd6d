"""Thousands of histories of an ordered group; in each, every key's effects happen once, in order, under one holder."""

from __future__ import annotations

import pytest

from queueing.brokers.memory import MemoryBroker
from queueing.ordered_handling import OrderedHandling
from queueing.tests.ordered_simulation import OrderedWorld
from queueing.tests.test_simulation import FIRST, SEEDS, quiet

__all__ = ["quiet"]


def test_order_holds_and_every_effect_happens_once_whatever_happens() -> None:
    deaths = forgotten = epochs = buried = overdue = replayed = purged = grown = 0
    for seed in range(FIRST, FIRST + SEEDS):
        world = OrderedWorld(seed)
        broker = world.run()

        assert world.problems() == [], f"seed {seed}"
        for row in broker.stats({"baristas": ["bar"]}):
            assert row.appended == row.acked == row.done + row.purged - row.moved, f"seed {seed}: {row}"
        assert all(not view.order.heads for view in broker._groups.values()), f"seed {seed}: a key is still blocked"
        deaths += world.deaths
        forgotten += world.forgotten
        epochs += world.fences.current - 1
        buried += len(world.ever_dead)
        overdue += world.overdue
        replayed += world.replayed
        purged += len(world.purged)
        grown += world.grown
    assert min(deaths, grown) > SEEDS
    assert min(forgotten, epochs, buried, overdue, replayed, purged) > 0


def test_one_seed_is_one_history() -> None:
    def history(seed: int) -> tuple[float, int, int]:
        world = OrderedWorld(seed)
        world.run()
        return world.now, world.deaths, world.rng.getrandbits(64)

    assert history(11) == history(11)
    assert history(11) != history(12)


def test_without_the_fence_the_simulation_finds_two_holders() -> None:
    found = 0
    for seed in range(50):
        world = OrderedWorld(seed, unfenced=True)
        world.run()
        found += any("committed by" in problem for problem in world.problems())

    assert found > 1


def test_without_parking_the_simulation_finds_broken_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderedHandling, "_unblocked", lambda self, batch: list(batch))
    found = 0
    for seed in range(40):
        world = OrderedWorld(seed)
        world.run()
        found += any("out of order" in problem for problem in world.problems())

    assert found > 3


def test_without_waiting_for_the_old_partition_the_simulation_finds_broken_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MemoryBroker, "_is_open", lambda *_: True)
    found = 0
    for seed in range(20):
        world = OrderedWorld(seed)
        world.run()
        found += any("out of order" in problem for problem in world.problems())

    assert found > 3
