"""Dead letters moved in the background: whoever works may die, freeze or be stopped; each letter is moved once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import runs
from queueing.console.choosing import Choice, settled
from queueing.console.filter import cursor
from queueing.console.paging import read_page
from queueing.console.present_runs import facts_of
from queueing.letter_run import LetterRun
from queueing.tasks import sweep_letters
from queueing.tests.conformance import WHY
from queueing.tests.console import GROUP, LETTERS, TOPICS, bury, many_dead, placed

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


def tally(broker: RedisStreamsBroker, *names: str) -> list[int]:
    rows = broker.stats({GROUP: TOPICS})
    return [sum(getattr(row, name) for row in rows) for name in names]


def begun(broker: RedisStreamsBroker, *, action: str = "replay", **choice: object) -> LetterRun:
    """Asked for, counted and agreed to; nobody has come by yet."""
    ann, _ = get_user_model().objects.get_or_create(username="ann")
    meant = settled(Choice(group=GROUP, **choice), broker.redis)  # type: ignore[arg-type]
    run = runs.propose(user=ann, action=action, choice=meant)
    if run.state == LetterRun.State.COUNTING:
        sweep_letters()
    assert runs.begin(run=run, user=ann, also_quarantined=False)
    run.refresh_from_db()
    return run


def test_it_goes_on_turn_by_turn_where_the_last_one_ended(broker: RedisStreamsBroker) -> None:
    many_dead(broker.redis, 350)
    run = begun(broker)

    moved = []
    while run.state == LetterRun.State.RUNNING:
        runs.work(run.pk, for_s=0)
        run.refresh_from_db()
        moved.append(run.moved)

    assert moved == [100, 200, 300, 350, 350], "the last turn finds that nothing is left"
    assert tally(broker, "dead", "delayed") == [0, 350]
    assert LogEntry.objects.latest("id").change_message == "Replayed 350 of 350 dead letters"


def test_quarantined_ones_are_passed_over_once_however_often_it_is_taken_up(broker: RedisStreamsBroker) -> None:
    for _ in range(3):
        bury(broker, [placed() for _ in range(60)], quarantine=True)
        bury(broker, [placed() for _ in range(60)])
    run = begun(broker)

    while run.state == LetterRun.State.RUNNING:
        runs.work(run.pk, for_s=0)
        run.refresh_from_db()

    assert (run.total, run.moved, run.skipped) == (360, 180, 180)
    assert tally(broker, "dead", "quarantined", "delayed") == [180, 180, 180]


def test_two_who_take_it_up_at_once_do_it_once(broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    many_dead(broker.redis, 250)
    run = begun(broker)
    replay = RedisStreamsBroker.replay

    def while_another_comes_by(self: RedisStreamsBroker, letters: list) -> int:
        runs.work(run.pk)
        return replay(self, letters)

    monkeypatch.setattr(RedisStreamsBroker, "replay", while_another_comes_by)
    runs.work(run.pk)

    run.refresh_from_db()
    assert (run.state, run.moved) == ("done", 250)


def test_who_was_silent_for_too_long_finds_that_another_has_it(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_dead(broker.redis, 250)
    run = begun(broker)
    replay = RedisStreamsBroker.replay

    def fall_asleep_once(self: RedisStreamsBroker, letters: list) -> int:
        monkeypatch.setattr(RedisStreamsBroker, "replay", replay)
        LetterRun.objects.update(held_until="2026-01-01T00:00:00Z")  # half a minute passes
        runs.work(run.pk)
        return replay(self, letters)

    monkeypatch.setattr(RedisStreamsBroker, "replay", fall_asleep_once)
    runs.work(run.pk)

    run.refresh_from_db()
    assert (run.state, run.moved) == ("done", 250)
    assert tally(broker, "dead", "delayed") == [0, 250]


def test_one_that_is_stopped_leaves_the_rest_dead(broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    many_dead(broker.redis, 250)
    run = begun(broker)
    runs.work(run.pk, for_s=0)

    assert runs.stop(run=run, user=run.user)
    sweep_letters()

    assert tally(broker, "dead", "delayed") == [150, 100]
    assert not runs.stop(run=run, user=run.user)


def test_while_redis_is_away_it_waits_and_says_so_and_goes_on(broker: RedisStreamsBroker, settings: object) -> None:
    many_dead(broker.redis, 3)
    run = begun(broker, action="purge")
    there = settings.QUEUEING
    settings.QUEUEING = {**there, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}

    sweep_letters()

    run.refresh_from_db()
    assert run.state == LetterRun.State.RUNNING
    assert "Redis does not answer" in facts_of(run, now=run.created_at).note
    settings.QUEUEING = there
    sweep_letters()
    run.refresh_from_db()
    assert (run.state, run.moved, run.trouble) == ("done", 3, "")


def test_what_cannot_be_counted_in_a_moment_is_counted_in_the_background(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "A_MOMENT_S", 0)
    many_dead(broker.redis, 20)
    ann = get_user_model().objects.create(username="ann")

    run = runs.propose(user=ann, action="replay", choice=settled(Choice(text="ovencold"), broker.redis))
    assert run.state == LetterRun.State.COUNTING
    assert not runs.begin(run=run, user=ann, also_quarantined=False)
    sweep_letters()

    run.refresh_from_db()
    assert (run.state, run.total, run.looked) == ("asking", 20, 20)
    assert run.reasons == [["OvenCold: …", 20]]


def test_what_fails_again_meanwhile_is_left_alone(broker: RedisStreamsBroker) -> None:
    many_dead(broker.redis, 150)
    broker.redis.hincrby(keys.counters(*LETTERS), "acked", 150)
    run = begun(broker, newest_first=False)
    runs.work(run.pk, for_s=0)
    again = broker.read_due(GROUP, "lin", TOPICS, 1000)
    for delivery in again:
        broker.bury(GROUP, "lin", delivery, WHY)

    sweep_letters()

    run.refresh_from_db()
    assert (len(again), run.state, run.moved) == (100, "done", 150)
    assert tally(broker, "dead", "delayed") == [100, 50]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["letters.in_hand#2", "letters.moved#2"])
def test_one_whose_worker_is_killed_is_finished_by_the_next_and_counts_each_letter_once(
    broker: RedisStreamsBroker, point: str
) -> None:
    ids = many_dead(broker.redis, 250)
    run = begun(broker)
    parameters = connection.get_connection_params()
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
    code = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'; django.setup();"
        f"from queueing.console import runs; runs.work('{run.pk}')"
    )
    died = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "SLUICE_CRASH_AT": point},
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    run.refresh_from_db()
    dead, delayed = tally(broker, "dead", "delayed")
    assert dead + delayed == 250, "each is in one place"
    assert (run.moved, len(run.in_hand)) == (100, 100)
    assert delayed == (200 if "moved" in point else 100)

    sweep_letters()
    assert tally(broker, "dead") == [dead], "whoever died may only be slow"
    LetterRun.objects.update(held_until="2026-01-01T00:00:00Z")
    sweep_letters()

    run.refresh_from_db()
    assert (run.state, run.moved, run.in_hand) == ("done", 250, [])
    waiting = broker.redis.hgetall(keys.waiting(*LETTERS))
    assert {id_.decode() for id_ in waiting if not id_.endswith(b":n")} == set(ids)
    assert all(b'"replays":1,' in text for id_, text in waiting.items() if not id_.endswith(b":n"))


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_meet_every_letter_once_though_the_same_message_is_dead_in_two_groups(
    broker: RedisStreamsBroker, newest_first: bool
) -> None:
    many_dead(broker.redis, 130)
    for name in (keys.dead, keys.graves):  # the same, of the same millisecond, in another group
        broker.redis.copy(name(*LETTERS), name("orders.placed", "7", "notifications"))
    met, cursors = [], []
    past = None
    choice = Choice(newest_first=newest_first)
    while True:
        page = read_page(choice, past=past, size=7)
        met += [letter.address for letter in page.letters]
        if not page.next:
            break
        cursors.append(page.next)
        past = cursor(page.next)

    assert len(met) == len(set(met)) == 260
    assert len(cursors) == len(set(cursors)) == 37


def test_a_page_that_takes_too_long_says_how_far_it_looked_and_the_next_goes_on(broker: RedisStreamsBroker) -> None:
    many_dead(broker.redis, 5)

    first = read_page(Choice(text="no such thing"), past=None, longest_s=0)

    assert (first.letters, first.looked, first.out_of_time) == ([], 1, True)
    rest = read_page(Choice(), past=cursor(first.next))
    assert len(rest.letters) == 4
    assert (rest.next, rest.out_of_time) == ("", False)
