"""Series on Redis: a ring of bounded size, stale slots that are recognised, and a clock that may jump."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from queueing import keys
from queueing.brokers.lua import load
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable
from queueing.series import KEPT_S
from queueing.tests.conformance import TOPICS, parcel

WHERE = ("brief", "0")
LOG, GROUP = keys.log_series(*WHERE), keys.series(*WHERE, "cooks")
INCLUDED = ("series.lua", "pace.lua", "append.lua", "own.lua")
SCRIPTS = [path for path in sorted(Path(__file__).parents[2].glob("*/**/*.lua")) if path.name not in INCLUDED]


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


def record(client: redis.Redis, key: str, second: int, *numbers: int) -> None:
    """As lua/series.lua writes it."""
    text = "".join(f"{number:012}" for number in (second, *numbers))
    client.setrange(key, second % KEPT_S * len(text), text)


def test_a_second_is_one_record_however_much_it_counts(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    for _ in range(20):
        broker.produce([parcel(topic="brief") for _ in range(5)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["brief"], 5, 0))

    records = re.findall(rb"[0-9]{24}", client.get(LOG) or b"")

    assert 1 <= len(records) <= 3
    assert sum(broker.series("cooks", "brief", 10).produced) == 100


def test_an_hour_of_it_is_bounded_and_goes_away_by_itself(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    broker.produce([parcel(topic="brief")])
    broker.ack("cooks", "ada", broker.read("cooks", "ada", ["brief"], 5, 0))
    assert 0 < client.ttl(LOG) <= 2 * KEPT_S
    assert 0 < client.ttl(GROUP) <= 2 * KEPT_S

    now_s = client.time()[0]
    last_slot = now_s - now_s % KEPT_S - 1
    record(client, LOG, last_slot, 0)
    record(client, GROUP, last_slot, 0, 0, 0, 0)

    assert (client.strlen(LOG), client.strlen(GROUP)) == (86_400, 216_000)


def test_the_ring_is_read_across_its_end(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    """Ten in the last slot, twenty in the first: the present second is anywhere."""
    broker.produce([parcel(topic="brief") for _ in range(30)])
    client.delete(LOG)
    now_s = client.time()[0]
    turn = now_s - now_s % KEPT_S
    record(client, LOG, turn - 1, 0)
    record(client, LOG, turn, 10)

    series = broker.series("cooks", "brief", KEPT_S)

    at = turn - series.first_s
    if at > 0:  # only if this very second is the turn itself an hour ago is out of sight
        assert series.produced[at - 1 : at + 1] == [10, 20]
    assert sum(series.produced) in (20, 30)


def test_records_of_another_hour_and_of_a_clock_that_ran_ahead_are_not_believed(
    broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.produce([parcel(topic="brief") for _ in range(4)])
    broker.ack("cooks", "ada", broker.read("cooks", "ada", ["brief"], 3, 0))
    now_s = client.time()[0]
    for second in (now_s - KEPT_S - 100, now_s + 200):
        record(client, LOG, second, 1_000_000)
        record(client, GROUP, second, 1_000_000, 0, 0, 0)
    record(client, LOG, now_s - 50, 3)  # of before the jump, and it stood higher than now would allow: 3, then 0

    series = broker.series("cooks", "brief", 600)

    assert min(series.produced) == 0
    assert max(series.produced) <= 4
    assert sum(series.acked) == 3
    assert series.lag[-1] == 1


def test_a_series_of_the_wrong_type_stops_a_script_before_it_has_written(
    broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.produce([parcel(topic="brief") for _ in range(3)])
    held = broker.read("cooks", "ada", ["brief"], 5, 0)
    for key in (LOG, GROUP):
        client.delete(key)
        client.sadd(key, "what is this")
    client.hdel(keys.meta(*WHERE), "noted")
    client.hdel(keys.counters(*WHERE, "cooks"), "noted")

    with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
        broker.produce([parcel(topic="brief")])
    with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
        broker.ack("cooks", "ada", held)

    [row] = broker.stats({"cooks": ["brief"]})
    assert (row.appended, row.kept, row.acked, row.in_flight) == (3, 3, 0, 3)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_that_counts_notes_the_second_first(path: Path) -> None:
    """A script that forgets it would put what it counts into an earlier second, or into none."""
    text = load(path)
    own = path.read_text()
    if re.search(r"[^_]append\(", own):
        assert "note_log(" in own
    counted = re.search(r"'HINCRBY', (COUNTERS|KEYS\[\d+\]), '(acked|retried|buried|skipped)'", own)
    if counted or re.search(r"^\s*release\(", own, re.MULTILINE):
        assert "note_group(" in own
        first_write = re.search(r"^\s*(release\(|local made = |note_group\()", own, re.MULTILINE)
        assert first_write is not None
        assert "note_group" in first_write[0]
    assert "--!include" not in text, "everything it includes was found"
