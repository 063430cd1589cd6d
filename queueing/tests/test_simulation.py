"""Thousands of histories of crashes, lost replies and zombies; in each, every message has its effect exactly once.

SIMULATION_SEEDS sets how many seeds are tried, SIMULATION_FIRST the first one: a failing seed is printed and replays.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from queueing.tests.simulation import World

FIRST = int(os.environ.get("SIMULATION_FIRST", "0"))
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Every history logs hundreds of warnings; the seed that failed can be run alone to read them."""
    logging.getLogger("queueing.worker").disabled = SEEDS > 1
    yield
    logging.getLogger("queueing.worker").disabled = False


def test_every_message_has_its_effect_once_whatever_happens() -> None:
    deaths = buried = trimmed = overdue = replayed = purged = grown = 0
    for seed in range(FIRST, FIRST + SEEDS):
        world = World(seed)
        broker = world.run()

        dead = [buried.letter.delivery(1) for view in broker._groups.values() for buried in view.dead.values()]
        dead_numbers = {delivery.message.event().number for delivery in dead}  # type: ignore[attr-defined]
        told = set(range(world.messages))
        # A good message whose process was killed each time it was begun is buried too: found, not lost.
        assert set(world.store.effects) | dead_numbers | world.purged == told, f"seed {seed}: lost or invented"
        failing = world.poison | world.broken | world.hanging
        assert not set(world.store.effects) & failing, f"seed {seed}: an effect of a failure"
        assert set(world.store.effects.values()) <= {1}, f"seed {seed}: doubled {world.store.effects.most_common(3)}"
        assert dead_numbers | world.purged >= failing, f"seed {seed}: a failing message vanished"
        for row in broker.stats({"baristas": ["bar"]}):
            assert row.appended == row.acked == row.done + row.dead + row.purged - row.moved, f"seed {seed}: {row}"
            assert row.appended == row.kept + row.trimmed, f"seed {seed}: {row}"
        deaths += world.deaths
        trimmed += world.trimmed
        grown += world.grown
        overdue += world.overdue
        replayed += world.replayed
        purged += len(world.purged)
        buried += len(dead)
    assert deaths > SEEDS
    assert buried > 0
    assert min(trimmed, grown) > SEEDS
    assert overdue > SEEDS
    assert min(replayed, purged) > 0


def test_one_seed_is_one_history() -> None:
    def history(seed: int) -> tuple[float, int, int]:
        world = World(seed)
        world.run()
        return world.now, world.deaths, world.rng.getrandbits(64)

    assert history(11) == history(11)
    assert history(11) != history(12)


def test_without_an_inbox_the_simulation_finds_doubled_effects() -> None:
    doubled = 0
    for seed in range(20):
        world = World(seed, sabotage=True)
        world.run()
        doubled += max(world.store.effects.values()) > 1

    assert doubled > 5
