from __future__ import annotations

from queueing.heartbeat import Watch
from queueing.tests.test_memory import Clock


def test_a_consumer_is_dead_when_its_beat_stood_still_for_a_whole_lease() -> None:
    clock = Clock()
    watch = Watch(lease_s=10, clock=clock)

    assert watch.observe({"ada": "1", "sam": "1"}) == []
    clock.advance(9)
    assert watch.observe({"ada": "1", "sam": "2"}) == []
    clock.advance(1)
    assert watch.observe({"ada": "1", "sam": "2"}) == ["ada"]
    clock.advance(9)
    assert watch.observe({"ada": "2", "sam": "2"}) == ["sam"]


def test_an_observer_that_just_came_gives_everybody_a_whole_lease() -> None:
    clock = Clock()
    clock.advance(1_000)
    watch = Watch(lease_s=10, clock=clock)

    assert watch.observe({"ada": "1"}) == []
