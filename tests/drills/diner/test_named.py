"""Drills by their number in docs/drills.md; those that need more room have files of their own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import pytest
from django.conf import settings
from django.db import connection

from queueing.console.levels import level
from queueing.layout import Layout
from queueing.topic import Topic
from tests.drills.diner.crew import SCALE, TABLES, Crew
from tests.drills.diner.events import GROUP

pytestmark = pytest.mark.drill


def test_drill_07_backlog_over_any_cap_and_a_worker_dies_after_a_trim(crew: Crew) -> None:
    """Nothing un-acked is ever trimmed, and the lag is exact before, between and after."""
    cap, backlog = 10, 500 * SCALE
    crew.broker.topics = {"dishes": Topic("dishes", partitions=4, retention_messages=cap)}
    crew.order(backlog)
    dying = crew.hire(batch=50, takes_s=0.02, SLUICE_CRASH_AT="consume.handled#4")
    stop = threading.Event()
    trimmed: list[int] = []

    def trim_all_the_time() -> None:
        broker = type(crew.broker)(crew.broker.topics, url=settings.REDIS_URL)
        while not stop.wait(0.005):
            trimmed.append(broker.trim("dishes", [GROUP]))
        broker.redis.close()

    trimmer = threading.Thread(target=trim_all_the_time)
    trimmer.start()
    try:
        crew.wait_for(lambda: dying.ends == [-signal.SIGKILL], "the worker died")
        crew.wait_for(lambda: sum(trimmed) > 0, "something was trimmed before it died")
        total = crew.total()
        assert total["lag"] == backlog - total["acked"] > total["in_flight"] > 0
        kept = sum(row.kept for row in crew.stats())
        assert kept >= total["lag"], "what nobody has settled is still there"
        crew.hire(batch=50)
        crew.wait_for_rest()
    finally:
        stop.set()
        trimmer.join()

    crew.each_was_served_once()
    while (kept := sum(row.kept for row in crew.stats())) > 4 * cap:
        trimmed.append(crew.broker.trim("dishes", [GROUP]))
        assert trimmed[-1] > 0, f"{kept} are kept, which nobody needs any more"
    crew.the_audit_finds_nothing(trimmed=sum(trimmed))


def test_drill_08_a_handler_that_raises_is_not_done_is_tried_again_and_buried_with_an_alert(crew: Crew) -> None:
    [bad] = crew.order(deed="raise")
    waiter = crew.hire(attempts=3)
    crew.wait_for(lambda: crew.total()["delayed"] == 1, "set aside")
    assert crew.total()["done"] == 0

    crew.wait_for_rest(dead=1)

    [letter] = crew.letters()
    assert (letter.attempts, letter.reason) == (3, "ValueError: the plate is broken")
    assert "the plate is broken" in letter.traceback
    assert waiter.said().count("again in") == 2, "three attempts"
    assert "is dead after 3 attempt(s)" in waiter.said()
    assert level("dead", crew.total()["dead"]) == ("amber", "to look at")
    crew.each_was_served_once(but=[bad])
    crew.the_audit_finds_nothing()


def test_drill_16_a_hot_partition_goes_as_fast_as_one_and_spread_by_key_as_fast_as_n(crew: Crew) -> None:
    """In ordered mode, where a partition has one consumer at a time; competing consumers share a hot one."""
    count, takes_s, waiters = 40, 0.03, 4
    tables = [f"t{n}" for n in range(100)]
    partition_of = Layout(4).partition_of
    one_each = [next(table for table in tables if partition_of(table) == str(p)) for p in range(4)]
    for _ in range(waiters):
        crew.hire(mode="ordered", batch=1, takes_s=takes_s, lease_s=5)
    crew.wait_for(
        lambda: len({lease.owner for lease in crew.broker.leases(GROUP, ["dishes"])} - {""}) == waiters, "one each"
    )

    hot_s = _seconds(crew, count, [one_each[0]])
    spread_s = _seconds(crew, count, one_each)

    print(f"{count} orders: {count / hot_s:.0f}/s from one partition, {count / spread_s:.0f}/s from {waiters}")
    assert hot_s >= count * takes_s * 0.9, "one after the other"
    assert spread_s < hot_s / 1.5, "a busy machine may not let four of them run at once"
    crew.wait_for_rest()
    crew.each_was_served_once()
    crew.the_audit_finds_nothing()


def test_drill_17_a_hung_consumer_blocks_nobody_and_what_it_held_is_served_once(crew: Crew) -> None:
    """In a push group with assigned partitions, a quarter of the orders would wait for the one who hangs."""
    held = crew.order(10)
    hung = crew.hire(freeze="handler-unwatched", lease_s=2)
    crew.wait_for(hung.is_frozen, "hung in its transaction")
    crew.hire(lease_s=2)

    crew.order(200)
    crew.wait_for_rest()
    first = [number for number, _ in crew.served()[:150]]
    assert not set(first) & set(held), "all partitions drain before the lease of the hung one ends"
    hung.signal(signal.SIGCONT)
    crew.wait_for(lambda: "ours 0" in hung.said(), "the late acknowledgement failed")

    crew.each_was_served_once()
    crew.the_audit_finds_nothing()


def test_drill_17_beside_it_an_assigned_partition_waits_for_the_lease_of_who_hangs(crew: Crew) -> None:
    staff = [crew.hire(mode="ordered", lease_s=2) for _ in range(2)]

    def shares() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for lease in (lease for lease in crew.broker.leases(GROUP, ["dishes"]) if lease.owner):
            found.setdefault(lease.owner, set()).add(lease.partition)
        return found

    crew.wait_for(lambda: sorted(map(len, shares().values())) == [2, 2], "two partitions each")
    [his] = [partitions for owner, partitions in shares().items() if f"-{staff[0].pid}-" in owner]
    staff[0].signal(signal.SIGSTOP)
    crew.order(120)
    waiting = {n for n in range(120) if Layout(4).partition_of(str(n % TABLES)) in his}

    crew.wait_for_rest()
    order = [number for number, _ in crew.served()]
    assert set(order[: 120 - len(waiting)]) & waiting == set(), "the others went on; these waited"
    staff[0].signal(signal.SIGCONT)
    crew.order(20)
    crew.wait_for_rest()
    crew.each_was_served_once()
    crew.the_audit_finds_nothing()


def test_drill_27_scale_down_during_work_drains_first_and_nothing_is_lost_or_doubled(crew: Crew) -> None:
    staff = [crew.hire(batch=10, takes_s=0.05, lease_s=10) for _ in range(3)]
    crew.order(300)
    crew.wait_for(lambda: {pid for _, pid in crew.served()} == {waiter.pid for waiter in staff}, "all at work")
    for waiter in staff[1:]:
        waiter.signal(signal.SIGTERM)
    crew.order(100)

    crew.wait_for(lambda: all(waiter.ends == [0] for waiter in staff[1:]), "both have left")
    held = {name for name in crew.broker.beats(GROUP) if any(f"-{waiter.pid}-" in name for waiter in staff[1:])}
    assert held == set(), "who leaves holds nothing, and nobody waits a lease for him"
    crew.wait_for_rest()

    assert crew.redelivered() == 0
    assert staff[0].lives
    crew.each_was_served_once()
    crew.the_audit_finds_nothing()


def _seconds(crew: Crew, count: int, tables: Sequence[str]) -> float:
    """From the first to the last of so many orders, spread over these tables."""
    first = crew.ordered
    for number in range(count):
        crew.order(table=tables[number % len(tables)])
    crew.wait_for(lambda: len(crew.served()) == crew.ordered, f"{count} served")
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM max(at) - min(at)) FROM served WHERE number >= %s", [first])
        return float(cursor.fetchone()[0])
