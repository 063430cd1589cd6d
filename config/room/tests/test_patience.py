from __future__ import annotations

import pytest

from config.room.patience import Patience


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def seen(patience: Patience, clock: Clock, *looks: tuple[float, int]) -> list[float]:
    """looks: (seconds since the last one, difference)."""
    lasted = []
    for later_s, difference in looks:
        clock.now += later_s
        lasted.append(patience.lasted_s(difference))
    return lasted


def test_a_difference_lasts_from_the_first_look_that_saw_it(clock: Clock) -> None:
    assert seen(Patience(clock=clock), clock, (1, 0), (1, 3), (2, 1), (3, 9)) == [0, 0, 2, 5]


def test_one_look_without_it_ends_it(clock: Clock) -> None:
    assert seen(Patience(clock=clock), clock, (1, 3), (4, 3), (1, 0), (1, 3), (1, 3)) == [0, 4, 0, 0, 1]


def test_what_was_seen_long_ago_says_nothing_about_since(clock: Clock) -> None:
    assert seen(Patience(clock=clock), clock, (1, 3), (3_600, 3), (5, 3)) == [0, 0, 5]
