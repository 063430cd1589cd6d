"""When a group grows, when it shrinks, and when it says why it doesn't."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.autoscaler.limits import Limits
from queueing.autoscaler.policy import Changed, Decision, decide
from queueing.autoscaler.trend import Sample, drain_s, slope_per_s

LIMITS = Limits(most=8)


def steady(lag: int, *, seconds: int = 30, produced: float = 0.0, acked: float = 0.0, actual: int = 1) -> list[Sample]:
    return [Sample(float(second), lag, produced, acked, actual) for second in range(seconds)]


def rising(by: int, *, to: int, acked: float = 100.0) -> list[Sample]:
    return [Sample(float(second), to - by * (9 - second), by + acked, acked, 1) for second in range(10)]


def capped(samples: list[Sample], cap: float, takes: float) -> list[Sample]:
    return [replace(sample, cap=cap, capped_per_s=takes) for sample in samples]


class TestGrowing:
    def test_lag_above_ten_thousand_doubles(self):
        said = decide(steady(10_001, acked=500), desired=2, limits=LIMITS)

        assert said == Decision(4, "up", "grow", "lag 10,001 is above 10,000")

    def test_a_slope_that_leads_there_is_enough(self):
        said = decide(rising(1_500, to=6_000), desired=1, limits=LIMITS)

        assert (said.desired, said.direction) == (2, "up")
        assert "rises by 1,500 a second" in said.reason

    def test_a_gentle_slope_is_not(self):
        assert decide(rising(100, to=6_000), desired=1, limits=LIMITS).kind == "between"

    def test_a_backlog_that_is_gone_in_a_moment_is_left_alone(self):
        said = decide(steady(12_000, acked=4_000), desired=2, limits=LIMITS)

        assert (said.direction, said.kind) == ("hold", "soon")
        assert "empty in 3 s" in said.reason

    def test_it_ends_at_the_most_allowed(self):
        assert decide(steady(50_000), desired=6, limits=LIMITS).desired == 8
        said = decide(steady(50_000), desired=8, limits=LIMITS)
        assert said == Decision(8, "hold", "most", "lag 50,000 is above 10,000, but 8 consumers are the most allowed")

    def test_at_its_cap_a_group_does_not_grow_and_says_so(self):
        said = decide(capped(steady(50_000, acked=1_400), 1_000, 950), desired=1, limits=LIMITS)

        assert (said.desired, said.direction, said.kind) == (1, "hold", "cap")
        assert "cap of 1,000 a second" in said.reason

    def test_below_its_cap_it_grows(self):
        assert decide(capped(steady(50_000, acked=500), 1_000, 500), desired=1, limits=LIMITS).desired == 2

    def test_whether_the_cap_is_the_limit_is_first_looked_at(self):
        """In the first second of a spike the consumer has not had the time to reach its cap."""
        spike = [*steady(0, seconds=20), Sample(20.0, 30_000, 30_000, 100, 1), Sample(21.0, 31_000, 1_500, 500, 1)]

        assert decide(capped(spike, 1_000, 500), desired=1, limits=LIMITS).kind == "judging"
        assert decide(spike, desired=1, limits=LIMITS).direction == "up", "without a cap there is nothing to judge"

    def test_a_paused_group_needs_no_more_consumers(self):
        samples = [replace(sample, paused=True) for sample in steady(50_000)]

        assert decide(samples, desired=1, limits=LIMITS).kind == "paused"

    def test_new_consumers_are_waited_for(self):
        last = Changed(28.0, "up", 2, 500.0)
        assert decide(steady(50_000, actual=2), desired=2, limits=LIMITS, last=last).kind == "settling"
        earlier = Changed(10.0, "up", 2, 500.0)
        late = decide(steady(50_000, actual=1, acked=900), desired=2, limits=LIMITS, last=earlier)
        assert late.kind == "settling", "one of the two is not at work"

    def test_when_the_last_step_brought_nothing_the_limit_is_elsewhere(self):
        last = Changed(10.0, "up", 2, 900.0)
        said = decide(steady(50_000, acked=950, actual=2), desired=2, limits=LIMITS, last=last)
        assert (said.desired, said.direction, said.kind) == (2, "hold", "no gain")
        assert "database" in said.reason
        assert decide(steady(50_000, acked=1_700, actual=2), desired=2, limits=LIMITS, last=last).desired == 4

    def test_after_a_minute_it_is_tried_again(self):
        last = Changed(10.0, "up", 2, 900.0)

        assert decide(steady(50_000, seconds=80, acked=950, actual=2), desired=2, limits=LIMITS, last=last).desired == 4


class TestShrinking:
    def test_low_lag_for_a_while_halves(self):
        said = decide(steady(10, actual=8), desired=8, limits=LIMITS, last=Changed(0.0, "up", 8, 0.0))

        assert (said.desired, said.direction) == (4, "down")

    def test_a_short_calm_is_not_enough(self):
        samples = [*steady(5_000, seconds=20), *(Sample(20.0 + s, 10, 0, 0, 4) for s in range(5))]

        said = decide(samples, desired=4, limits=LIMITS)

        assert said == Decision(4, "hold", "calm", "lag 10 is below 1,000 for 4 s; after 15 s it shrinks")

    def test_each_step_down_waits_anew(self):
        last = Changed(20.0, "down", 4, 0.0)

        assert decide(steady(0, actual=4), desired=4, limits=LIMITS, last=last).direction == "hold"

    def test_it_does_not_shrink_to_what_was_too_few_a_moment_ago(self):
        """4 consumers keep up with 3,000 a second; 2 of them did not. To shrink would be to grow again."""
        backlog = [Sample(float(s), 20_000, 3_000, 1_900, 2) for s in range(20)]
        keeping_up = [Sample(20.0 + s, 200, 3_000, 3_000, 4) for s in range(40)]
        last = Changed(20.0, "up", 4, 1_900)

        said = decide(backlog + keeping_up, desired=4, limits=LIMITS, last=last)
        assert (said.direction, said.kind) == ("hold", "needed")

        quieter = [replace(sample, produced_per_s=900.0) for sample in keeping_up]
        assert decide(backlog + quieter, desired=4, limits=LIMITS, last=last).desired == 2

    def test_from_the_most_to_the_least_takes_no_longer_than_a_minute(self):
        changes = course(lambda second, desired: Sample(float(second), 0, 0, 0, desired), seconds=120, begins_with=8)

        assert [consumers for _, consumers in changes] == [4, 2, 1]
        assert changes[-1][0] <= 60

    def test_it_ends_at_the_least_allowed(self):
        assert decide(steady(0, actual=2), desired=2, limits=Limits(least=2)).kind == "least"


class TestResting:
    def test_between_the_thresholds_nothing_changes(self):
        assert decide(steady(5_000), desired=3, limits=LIMITS).desired == 3

    @given(
        low=st.integers(0, 1_000),
        high=st.integers(10_000, 40_000),
        takes=st.integers(100, 5_000),
        starts_high=st.booleans(),
    )
    def test_a_load_that_flaps_between_them_causes_no_thrash(self, low, high, takes, starts_high):
        """Every two seconds from one side to the other, for five minutes: it may grow, and never shrinks."""

        def flapping(second: int, desired: int) -> Sample:
            lag = high if (second // 2 + starts_high) % 2 else low
            return Sample(float(second), lag, 2_000, takes * math.sqrt(desired), desired)

        changes = course(flapping, seconds=300)

        assert [consumers for _, consumers in changes] == [2, 4, 8][: len(changes)]

    @given(per_second=st.integers(0, 6_000), each=st.integers(200, 2_000))
    def test_a_steady_load_is_not_grown_and_shrunk_for_ever(self, per_second, each):
        """A simulated group, for 200 seconds: what arrives is worked off by so many consumers at `each` a second."""
        lag = 0

        def group(second: int, desired: int) -> Sample:
            nonlocal lag
            takes = min(lag + per_second, each * desired)
            lag += per_second - takes
            return Sample(float(second), lag, per_second, takes, desired)

        changes = course(group, seconds=200)

        assert len(changes) <= 5, changes

    @pytest.mark.parametrize(("desired", "within"), [(0, 1), (9, 8)])
    def test_a_number_outside_the_limits_is_brought_back(self, desired, within):
        assert decide(steady(0), desired=desired, limits=LIMITS).desired == within

    @given(
        lags=st.lists(st.integers(0, 200_000), min_size=1, max_size=60),
        acked=st.floats(0, 50_000),
        produced=st.floats(0, 50_000),
        desired=st.integers(1, 8),
        cap=st.none() | st.floats(1, 50_000),
    )
    def test_whatever_comes_the_limits_hold_and_a_reason_is_given(self, lags, acked, produced, desired, cap):
        samples = [Sample(float(at), lag, produced, acked, desired, cap, acked) for at, lag in enumerate(lags)]

        said = decide(samples, desired=desired, limits=LIMITS)

        assert 1 <= said.desired <= 8
        assert said.reason
        assert said.direction == ("hold" if said.desired == desired else "up" if said.desired > desired else "down")
        if lags[-1] < LIMITS.down:
            assert said.desired <= desired


def course(
    sample: Callable[[int, int], Sample], *, seconds: int, begins_with: int = 1, kept: int = 300
) -> list[tuple[int, int]]:
    """(second, consumers) of each change, when the number is what was decided at once."""
    desired, last, samples, changes = begins_with, None, [], []
    for second in range(seconds):
        samples = [*samples[1 - kept :], sample(second, desired)]
        said = decide(samples, desired=desired, limits=LIMITS, last=last)
        if said.desired != desired:
            desired = said.desired
            last = Changed(float(second), said.direction, desired, samples[-1].acked_per_s)
            changes.append((second, desired))
    return changes


def test_limits_that_cannot_rest_are_refused():
    with pytest.raises(ValueError, match="never rest"):
        Limits(up=1_000, down=1_000)
    with pytest.raises(ValueError, match="cannot both be"):
        Limits(least=3, most=2)


def test_the_arithmetic_of_the_seeds():
    assert drain_s(Sample(0, 99_000, 0, 1_000, 1)) == 99.0
    assert drain_s(Sample(0, 99_000, 1_000, 1_000, 1)) == float("inf")
    assert slope_per_s([Sample(0, 0, 0, 0, 1), Sample(2, 500, 0, 0, 1)]) == 250.0
