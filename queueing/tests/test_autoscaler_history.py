"""Totals become rates, and the cap that matters is the one most of the lag waits under."""

from __future__ import annotations

from queueing.autoscaler.history import History, Totals
from queueing.capping import Cap

FREE = {"bread": None, "cake": None}


def note(history: History, at_s: float, produced: int, acked: int, *, cake: tuple[int, int] = (0, 0), caps=FREE):
    topics = {"bread": Totals(produced, acked), "cake": Totals(*cake)}
    return history.note(at_s, topics, caps=caps, actual=1, paused=False)


def test_rates_are_over_the_last_two_seconds():
    history = History()
    assert note(history, 0, 1_000, 0)[-1].produced_per_s == 0.0, "one sample has no rate"
    note(history, 1, 3_000, 500)
    note(history, 2, 3_000, 1_500)
    sample = note(history, 3, 3_000, 2_500)[-1]

    assert (sample.lag, sample.produced_per_s, sample.acked_per_s) == (500, 0, 1_000)


def test_counters_that_ran_backwards_begin_anew():
    history = History()
    for second in range(5):
        note(history, second, 5_000, 4_000 + second)

    samples = note(history, 5, 10, 0)

    assert len(samples) == 1
    assert (samples[0].lag, samples[0].acked_per_s) == (10, 0)


def test_the_cap_is_that_of_the_topics_with_most_of_the_lag():
    caps = {"bread": Cap("bread", 1_000.0), "cake": Cap("cake", 50.0)}
    history = History()
    note(history, 0, 9_000, 0, cake=(100, 0), caps=caps)
    sample = note(history, 2, 9_000, 2_000, cake=(100, 100), caps=caps)[-1]

    assert (sample.cap, sample.capped_per_s, sample.acked_per_s) == (1_000.0, 1_000.0, 1_050.0)


def test_a_lag_under_no_cap_has_none():
    history = History()
    note(history, 0, 9_000, 0, caps={"bread": None, "cake": Cap("cake", 50.0)})
    sample = note(history, 2, 9_000, 0, caps={"bread": None, "cake": Cap("cake", 50.0)})[-1]

    assert sample.cap is None


def test_only_the_last_minutes_are_kept():
    history = History()
    for second in range(400):
        samples = note(history, second, second, second)

    assert len(samples) == 301


def test_a_topic_without_partitions_is_no_trouble():
    assert History().note(0, {}, caps={}, actual=0, paused=False)[-1].lag == 0
