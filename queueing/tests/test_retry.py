from __future__ import annotations

import random

import pytest

from queueing.retry import RetryPolicy


@pytest.mark.parametrize(("attempt", "longest"), [(1, 2.0), (2, 6.0), (3, 18.0), (4, 20.0)])
def test_the_wait_grows_and_stays_under_the_ceiling(attempt: int, longest: float) -> None:
    policy = RetryPolicy(max_attempts=9, first_s=2, factor=3, ceiling_s=20)
    rng = random.Random(1)

    waits = [policy.delay_s(attempt, rng=rng) for _ in range(200)]

    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert max(waits) - min(waits) > longest / 4  # a herd spreads


def test_the_last_attempt_has_no_next() -> None:
    assert RetryPolicy(max_attempts=3).delay_s(2) is not None
    assert RetryPolicy(max_attempts=3).delay_s(3) is None
