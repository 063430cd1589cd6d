"""`manage.py queue dead | replay | purge`: one letter in full, all that match, interrupted and run again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console.choosing import Choice, chosen
from queueing.tests.conformance import WHY
from queueing.tests.console import GROUP, NASTY, PLACED, TOPICS, bury, many_dead, person, placed, sits_there

ROOT = Path(__file__).resolve().parents[2]
PLACE = (PLACED, "7", GROUP)
pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture(autouse=True)
def _operator(db: None, django_user_model: type) -> None:
    person(django_user_model, "operator", is_staff=True)


def queue(*words: str) -> str:
    said = io.StringIO()
    call_command("queue", *words, stdout=said, stderr=io.StringIO())
    return said.getvalue()


def act(*words: str) -> str:
    return queue(*words, "--user", "operator", "--yes")


def tally(broker: RedisStreamsBroker, *names: str) -> list[int]:
    rows = broker.stats({GROUP: TOPICS})
    return [sum(getattr(row, name) for row in rows) for name in names]


def test_one_letter_is_told_in_full(broker: RedisStreamsBroker) -> None:
    [letter] = bury(broker, [placed()], reason="OvenCold: 12°", traceback="Traceback:\n  in the kitchen")

    said = queue("dead", GROUP, "--id", letter.message.id)

    facts = {line[:16].strip(): line[16:] for line in said.splitlines()[:12]}
    assert (facts["group"], facts["message"], facts["key"]) == (GROUP, letter.message.id, "7")
    assert facts["from"] == f"orders.placed, partition 7, offset {letter.offset}"
    assert facts["produced"] == "2023-11-14 22:13:20 UTC"
    assert (facts["attempts"], facts["replays"], facts["reason"]) == ("1", "0", "OvenCold: 12°")
    today = f"{datetime.now(UTC):%Y-%m-}"
    assert all(facts[name].startswith(today) for name in ("first failure", "last failure", "buried"))
    assert '"order_id": "o-1"' in said
    assert "in the kitchen" in said
    [whole] = json.loads(queue("dead", "--id", letter.message.id, "--json"))
    assert whole["first_failed_at_ms"] <= whole["last_failed_at_ms"] <= whole["buried_at_ms"] + 1_000
    assert (whole["traceback"], whole["offset"]) == ("Traceback:\n  in the kitchen", letter.offset)
    with pytest.raises(CommandError, match="not among the dead letters: nobody"):
        queue("dead", "--id", "nobody")


def test_a_letter_that_is_nasty_and_five_megabytes_long_stays_within_the_screen(broker: RedisStreamsBroker) -> None:
    body = json.dumps({"note": NASTY, "flood": "a" * 5_000_000}).encode()
    [letter] = bury(broker, [placed("7", body=body, name=f"orders.{NASTY}")], reason=NASTY, traceback=NASTY)

    listed, facts = queue("dead"), queue("dead", "--json")
    full, whole = queue("dead", "--id", letter.message.id), queue("dead", "--id", letter.message.id, "--json")

    assert len(listed) < 2_000
    assert len(facts) < 150_000
    assert len(full) < 6_000
    assert "more characters; --json has them" in full
    assert json.loads(whole)[0]["body"] == body.decode()
    for said in (listed, full):
        assert said.replace("\n", "").isprintable()
        assert "\x1b" not in said
    assert facts.isascii()
    assert whole.isascii()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([GROUP], "a b c d"),
        (["--event", "orders.Other"], "c"),
        (["--key", "8"], "d"),
        (["--partition", "8"], "d"),
        (["--topic", "orders.events"], ""),
        (["--reason", "OVEN"], "a c"),
        (["--reason", "oven", "--event", "orders.OrderPlaced"], "a"),
        (["--limit", "2"], "c d"),
        (["--limit", "2", "--oldest-first"], "a b"),
        (["payments"], ""),
    ],
)
def test_a_replay_takes_all_that_match_and_no_other(broker: RedisStreamsBroker, words: list[str], found: str) -> None:
    letters = {}
    for name, message, reason in (
        ("a", placed(), "OvenCold: 12°"),
        ("b", placed(), "KeyError: 'lid'"),
        ("c", placed(name="orders.Other"), "the oven is on fire"),
        ("d", placed("8"), "KeyError: 'lid'"),
    ):
        bury(broker, [message], reason=reason)
        letters[message.id] = name
        _next_millisecond(broker)

    dry = json.loads(queue("replay", *words, "--user", "operator", "--dry-run", "--json"))
    assert tally(broker, "dead", "delayed") == [4, 0]
    act("replay", *words)

    again = broker.read_due(GROUP, "lin", TOPICS, 10)
    assert " ".join(sorted(letters[d.message.id] for d in again)) == found
    assert dry["matched"] == len(again)
    assert sorted(letters[one["id"]] for one in dry["first"]) == found.split()
    assert tally(broker, "dead") == [4 - len(again)]


def test_a_span_of_time_is_taken_by_when_it_was_buried(broker: RedisStreamsBroker) -> None:
    moments = []
    for _ in range(3):
        _next_millisecond(broker)
        moments.append(_now(broker))
        _next_millisecond(broker)
        bury(broker, [placed()])

    since, before = (moment.isoformat(timespec="milliseconds") for moment in moments[1:])

    assert json.loads(queue("replay", "--user", "operator", "--dry-run", "--json", "--since", since))["matched"] == 2
    act("replay", "--since", since, "--before", before)
    assert tally(broker, "dead", "delayed") == [2, 1]


def test_mistakes_are_named(broker: RedisStreamsBroker, settings: object) -> None:
    for words, why in (
        (["nobody"], "no group is called 'nobody'; there are: "),
        (["--topic", "no.topic"], "no topic is called 'no.topic'; there are: .*orders.placed"),
        (["--id", "nobody"], "not among the dead letters: nobody"),
        (["--since", "yesterday"], "argument --since: 'yesterday' is no time with its zone"),
        (["--since", "2026-02-30T00:00:00+00:00"], "argument --since: '2026-02-30.* is no time with its zone"),
        (["--limit", "0"], "argument --limit: '0' is no number of letters from 1 on"),
    ):
        with pytest.raises(CommandError, match=why):
            act("replay", *words)
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}
    for words in (["dead"], ["dead", "--id", "x"]):
        with pytest.raises(CommandError, match="Redis does not answer"):
            queue(*words)
    for action in (["replay"], ["purge", GROUP], ["retire", "points"]):
        with pytest.raises(CommandError, match="Redis does not answer"):
            act(*action)


def test_quarantined_letters_are_skipped_and_counted_unless_asked_for(broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])
    bury(broker, [placed(), placed()], quarantine=True)

    said = act("replay", GROUP)
    again = act("replay", GROUP)

    assert "3 match, 2 of them quarantined; those are skipped without --quarantined." in said
    assert "Replayed 1 of 3 dead letters; 2 quarantined, which only an explicit wish replays." in said
    assert "2 match, 2 of them quarantined" in again
    assert "quarantined" in queue("dead")
    assert "2 (2 quarantined)" in queue("groups")
    assert tally(broker, "dead", "quarantined", "delayed") == [2, 2, 1]
    assert "Replayed 2 of 2 dead letters." in act("replay", GROUP, "--quarantined")
    assert tally(broker, "dead", "quarantined", "delayed") == [0, 0, 3]


def test_a_purge_wants_a_group_and_the_number_typed(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(broker, [placed() for _ in range(3)])

    with pytest.raises(CommandError, match="purge of which group"):
        act("purge")
    for answer in ("y", "", "2"):
        sits_there(monkeypatch, answer)
        with pytest.raises(CommandError, match="nothing was changed"):
            queue("purge", GROUP, "--user", "operator")
    assert "3 match" in queue("purge", GROUP, "--user", "operator", "--dry-run")
    assert tally(broker, "dead", "purged") == [3, 0]
    assert not LogEntry.objects.exists()
    sits_there(monkeypatch, "3")
    said = queue("purge", GROUP, "--user", "operator")

    assert "Purged 3 of 3 dead letters." in said
    assert tally(broker, "acked", "done", "dead", "purged") == [3, 0, 0, 3]
    entry = LogEntry.objects.get()
    assert entry.user.username == "operator"
    assert entry.is_deletion()
    assert entry.change_message.startswith("Purged 3 of 3 dead letters: ")
    assert entry.object_repr.startswith(f"dead letters: group {GROUP}, buried before 2")
    assert json.loads(act("purge", GROUP, "--json"))["matched"] == 0


def test_what_is_replayed_and_fails_at_once_is_not_replayed_by_the_same_command(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumers bury as fast as we replay: without a bound in time it would never end."""
    many_dead(broker.redis, 300)
    broker.redis.hincrby(keys.counters(*PLACE), "acked", 300)
    replay = RedisStreamsBroker.replay

    def replay_and_fail(self: RedisStreamsBroker, letters: list) -> int:
        moved = replay(self, letters)
        for delivery in broker.read_due(GROUP, "lin", TOPICS, 1000):
            broker.bury(GROUP, "lin", delivery, WHY)
        return moved

    monkeypatch.setattr(RedisStreamsBroker, "replay", replay_and_fail)

    assert "Replayed 300 of 300 dead letters." in act("replay", GROUP, "--oldest-first")

    assert {buried.letter.replays for buried in chosen(Choice(group=GROUP), broker.redis)} == {1}


def test_many_letters_are_held_a_page_at_a_time(broker: RedisStreamsBroker) -> None:
    """30 MB of them, and never more than a page and a batch at once."""
    many_dead(broker.redis, 3_000, body=b'{"flood":"' + b"a" * 10_000 + b'"}')
    tracemalloc.start()
    try:
        said = act("replay", GROUP)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "Replayed 3000 of 3000" in said.replace(",", "")
    assert peak < 12_000_000
    assert tally(broker, "dead", "delayed") == [0, 3_000]


@pytest.mark.django_db(transaction=True)
def test_a_replay_that_was_killed_is_finished_by_the_next_and_doubles_nothing(broker: RedisStreamsBroker) -> None:
    ids = many_dead(broker.redis, 12_000)
    parameters = connection.get_connection_params()
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "queue", "replay", GROUP, "--user", "operator", "--yes"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while tally(broker, "delayed") == [0]:
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    dead, delayed = tally(broker, "dead", "delayed")
    assert (dead + delayed, dead > 0) == (12_000, True), "killed in the middle, each is in one place"
    half_way = LogEntry.objects.get()
    assert half_way.change_message.startswith("Replayed ")
    assert "so far" in half_way.change_message

    said = act("replay", GROUP)

    assert f"Replayed {dead:,} of {dead:,} dead letters." in said
    assert tally(broker, "dead", "delayed") == [0, 12_000]
    waiting = broker.redis.hgetall(keys.waiting(*PLACE))
    assert {id_.decode() for id_ in waiting if not id_.endswith(b":n")} == set(ids)
    assert all(b'"replays":1,' in text for id_, text in waiting.items() if not id_.endswith(b":n"))


def _now(broker: RedisStreamsBroker) -> datetime:
    seconds, microseconds = broker.redis.time()
    return datetime.fromtimestamp(seconds + microseconds // 1000 / 1000, UTC)


def _next_millisecond(broker: RedisStreamsBroker) -> None:
    now = _now(broker)
    while _now(broker) == now:
        pass
