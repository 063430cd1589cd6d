"""`make bench` with small counts: every row of the report is there and well formed. Times are not judged here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import connection

from benchmarks import catch_up, console, machine, memory, orders, outbox, per_message, queue, whole
from benchmarks.lane import rows as lane
from benchmarks.peers import OURS, PEERS
from benchmarks.row import Row
from benchmarks.scaled import run as scaled
from benchmarks.table import HEAD, line
from config.stack.servers import Valkey

KEYS = ["name", "unit", "ours", "against", "theirs", "ratio", "target", "reached"]
INSTALLED = [peer for peer in PEERS if find_spec(peer.name)]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own: benchmarks empty every database they are given."""
    valkey = Valkey(tmp_path_factory.mktemp("bench") / "valkey")
    valkey.start()
    yield valkey.url
    valkey.stop()


def well_formed(rows: list[Row]) -> bool:
    for row in rows:
        assert list(row.as_json()) == KEYS
        assert row.ours > 0
        assert row.theirs > 0
        assert len(line(row)) <= 120
    return bool(rows)


def test_the_queue_is_measured_against_raw_commands(redis_url: str) -> None:
    rows = list(queue.rows(redis_url, messages=1200, pairs=1))

    assert well_formed(rows)
    assert [row.target for row in rows] == [0.8, 0.7]


@pytest.mark.django_db
def test_the_operators_page_is_measured_against_what_is_promised(redis_url: str, settings) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": redis_url}}

    page, sample = console.rows(redis_url, dead=20, partitions=8, looks=1)

    assert well_formed([page, sample])
    assert (page.target, page.at_most, sample.target) == (1, True, None)


def test_memory_is_counted_per_message_and_per_group(redis_url: str) -> None:
    short_key, long_key, pending = memory.rows(redis_url, messages=5000)

    assert well_formed([short_key, long_key, pending])
    assert short_key.reached  # a count of bytes, not a time: it must hold on every machine
    assert 100 < short_key.ours < long_key.ours
    assert (pending.target, pending.reached) == (None, True)


def test_the_lane_is_measured_against_servers_that_do_nothing(redis_url: str, settings) -> None:
    settings.REDIS_URL = redis_url

    rows = list(lane.rows(redis_url, scale=0.02, pairs=1))

    assert well_formed(rows)
    assert [row.target for row in rows] == [0.4, 15, 10, 0.8, 0.75]


@pytest.mark.django_db(transaction=True)
def test_the_relay_is_measured_with_rows_of_the_real_outbox(redis_url: str) -> None:
    [row] = outbox.rows(redis_url, count=800, pairs=2)

    assert well_formed([row])
    assert row.target == 0.5


@pytest.mark.django_db(transaction=True)
def test_orders_become_rows_by_the_shipped_consumer(redis_url: str) -> None:
    [row] = orders.rows(redis_url, count=1500, pairs=1)

    assert well_formed([row])
    assert row.target == 0.2


@pytest.mark.django_db(transaction=True)
def test_a_live_group_is_timed_beside_a_replay_by_processes_of_their_own(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = connection.get_connection_params()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{mine['user']}@/{mine['dbname']}?host={mine['host']}")

    p99, median = catch_up.rows(redis_url, messages=1500, each=20, pairs=1, old_s=0.0)

    assert well_formed([p99, median])
    assert (p99.target, median.target, median.at_most) == (None, 2.0, True)
    assert p99.ours >= median.ours


@pytest.mark.django_db(transaction=True)
def test_a_backlog_is_drained_by_consumers_that_grow_and_are_few_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = connection.get_connection_params()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{mine['user']}@/{mine['dbname']}?host={mine['host']}")
    soon = {"up": 100, "down": 10, "drain_target_s": 0.1, "up_pause_s": 0.1, "down_pause_s": 0.1}

    drained, reacted, rested = scaled.rows(redis_url, messages=1200, alone_s=0.5, **soon)

    assert well_formed([drained, reacted, rested])
    assert (drained.target, reacted.at_most, rested.at_most) == (4.0, True, True)


def test_a_worker_process_of_ours_finishes_its_count(redis_url: str) -> None:
    runner = per_message.Runner(OURS, redis_url, 1, share=0.02)
    runner.send()

    assert runner.run() > 0


@pytest.mark.skipif(not INSTALLED, reason="the extra `bench` is not installed")
def test_every_peer_finishes_its_count_and_the_best_is_named(redis_url: str) -> None:
    rows = list(per_message.rows(redis_url, peers=INSTALLED, share=0.02, rounds=1))

    assert well_formed(rows)
    *each, best, relaxed = rows
    assert len(each) == len(INSTALLED)
    assert best.theirs == max(row.theirs for row in each)
    assert (best.target, relaxed.target) == (10.0, None)


def test_a_target_is_the_least_ratio_or_the_greatest() -> None:
    fast = Row("work", "messages/s", 80, "raw", 100, 0.8)
    slow = Row("work", "messages/s", 79, "raw", 100, 0.8)
    lean = Row("memory", "bytes", 190, "its body", 100, 2.0, at_most=True)
    fat = Row("memory", "bytes", 210, "its body", 100, 2.0, at_most=True)

    assert [row.reached for row in (fast, slow, lean, fat)] == [True, False, True, False]
    assert ["MISSED" in line(row) for row in (fast, slow, lean, fat)] == [False, True, False, True]
    assert max(map(len, HEAD.splitlines())) <= 120


def test_the_machine_is_named_beside_the_figures(tmp_path: Path) -> None:
    assert "fdatasync/s" in machine.describe(tmp_path)


def test_what_load_tests_wrote_is_part_of_the_table_and_one_that_broke_off_is_not(tmp_path: Path) -> None:
    late = Row("99,000 orders, others paused", "s", 5.0, "as many at 1,000/s", 99.0, 4 / 99, at_most=True)
    fast = Row("answered", "times", 120.0, "three calls", 1.0, 100.0)
    for name, row in (("drain", late), ("compare", fast)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"rows": [row.as_json()]}))

    found = [row for name in ("drain", "compare", "spike") for row in whole.rows_of(tmp_path / f"{name}.json")]

    assert [(row.name, row.reached) for row in found] == [(late.name, False), (fast.name, True)]
    assert all("MISSED" in line(row) or row.reached for row in found)
