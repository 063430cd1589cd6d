"""What is counted of purchases: every answer once, and how long it took."""

from __future__ import annotations

import threading
from collections import Counter
from math import ceil
from time import perf_counter_ns

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import tallies
from orders.answers import SOLD_OUT
from orders.histogram import BUCKETS, LONGEST_US, bucket_of, middle_of, percentile
from orders.tallies import OUTCOMES, Tally

SPANS = st.integers(0, LONGEST_US) | st.integers(0, 5_000)


@given(st.lists(SPANS, min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_the_exact_one_within_four_thousandths(spans, share):
    exact = sorted(spans)[max(1, ceil(share * len(spans))) - 1]

    told = percentile(Counter(map(bucket_of, spans)), share)

    assert told is not None
    assert abs(told - exact) <= 0.004 * exact


@given(SPANS)
def test_a_longer_span_is_never_in_a_lower_bucket(span):
    assert 0 <= bucket_of(span) <= bucket_of(span + 1) < BUCKETS
    assert middle_of(bucket_of(span)) <= middle_of(bucket_of(span + 1))


@given(st.lists(SPANS), st.lists(SPANS))
def test_the_counts_of_two_processes_are_those_of_one_that_saw_both(mine, yours):
    apart = Counter(map(bucket_of, mine)) + Counter(map(bucket_of, yours))

    assert apart == Counter(map(bucket_of, mine + yours))


def test_what_there_is_none_of_has_no_percentile():
    assert percentile({}, 0.5) is None


@pytest.mark.parametrize("microseconds", [0, 1, 255, 256, 257, 3_000, 1_000_000, 500_000_000])
def test_a_tally_uses_the_histograms_buckets(microseconds, monkeypatch):
    monkeypatch.setattr(tallies, "perf_counter_ns", lambda: 7_000 + 1000 * microseconds)
    tally = Tally()

    tally.note("admitted", 7_000)
    tally.note("sold_out", 7_000)

    assert tally.took[bucket_of(microseconds)] == 2
    assert tally.took_admitted[bucket_of(microseconds)] == 1
    assert (tally.answers["admitted"], tally.answers["sold_out"], sum(tally.answers.values())) == (1, 1, 2)


def test_every_answer_to_a_purchase_has_an_outcome_that_is_counted():
    assert SOLD_OUT.outcome == "sold_out"
    assert len(set(OUTCOMES)) == len(OUTCOMES)


def test_threads_of_pages_lose_no_count():
    before = sum(tallies.PAGES.took)

    def many() -> None:
        for _ in range(2_000):
            tallies.note_in_a_thread("over_limit", perf_counter_ns())

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(tallies.PAGES.took) - before == 8_000
