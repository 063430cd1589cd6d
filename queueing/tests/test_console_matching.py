"""All dead letters that match a filter, on the operator's pages: counted by reason, then moved."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.found import OTHER, Found, kind_of
from queueing.console.reading import Reader
from queueing.letter_run import LetterRun
from queueing.tasks import sweep_letters
from queueing.tests.console import GROUP, NASTY, TOPICS, bury, person, placed

DEAD = "/admin/queueing/queue/dead/"
MATCHING = f"{DEAD}matching/"


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def operator(db: None, django_user_model: type) -> Client:
    return person(django_user_model, "operator", is_staff=True)


def tally(broker: RedisStreamsBroker, *names: str) -> list[int]:
    rows = broker.stats({GROUP: TOPICS})
    return [sum(getattr(row, name) for row in rows) for name in names]


def ask(operator: Client, **form: str) -> LetterRun:
    """What the button sends; the run that it leads to."""
    answer = operator.post(MATCHING, form)
    run = LetterRun.objects.latest("created_at")
    assert answer["Location"] == f"{DEAD}run/{run.pk}/"
    return run


def agree(operator: Client, run: LetterRun, **form: str) -> HttpResponse:
    """Press the button, and let a worker come by."""
    answer = operator.post(f"{DEAD}run/{run.pk}/begin/", form)
    sweep_letters()
    return answer


def said(operator: Client, run: LetterRun) -> str:
    return html.unescape(operator.get(f"{DEAD}run/{run.pk}/").content.decode())


def test_all_that_match_are_counted_by_reason_and_given_back_when_somebody_agrees(
    operator: Client, broker: RedisStreamsBroker
) -> None:
    bury(broker, [placed(str(n)) for n in range(120)], reason="OvenCold: 12° in oven o-7")
    bury(broker, [placed(str(n)) for n in range(3)], reason="OvenCold: 14° in oven o-9")
    bury(broker, [placed("7")], reason="CardExpired: 03/24")

    run = ask(operator, action="replay", group=GROUP, reason="ovencold")
    page = said(operator, run)

    assert "Replay 123 dead letters?" in page
    assert re.search(r'number">123</td>\s*<td class="reason">OvenCold: … in oven …<', page)
    assert "CardExpired" not in page
    assert tally(broker, "dead") == [124]

    assert agree(operator, run, confirmed="yes")["Location"] == f"{DEAD}run/{run.pk}/"

    assert "Replayed 123 of 123 dead letters." in said(operator, run)
    assert "Replayed 123 of 123 dead letters." in html.unescape(operator.get(DEAD).content.decode())
    assert tally(broker, "dead", "delayed") == [1, 123]
    asked, entry = LogEntry.objects.order_by("id")
    assert (asked.user.username, entry.user.username) == ("operator", "operator")
    assert asked.change_message == "Asks what a replay would come to"
    assert entry.change_message == "Replayed 123 of 123 dead letters"
    assert entry.object_repr.startswith(f"dead letters: group {GROUP}, reason ovencold, buried before 2")


def test_what_dies_after_it_was_asked_stays(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])
    run = ask(operator, action="purge", group=GROUP)
    _next_millisecond(broker)
    bury(broker, [placed()], reason="late")

    agree(operator, run, confirmed="1")

    assert "Purged 1 of 1 dead letter." in said(operator, run)
    assert tally(broker, "dead", "purged") == [1, 1]
    assert "late" in operator.get(DEAD).content.decode()
    assert LogEntry.objects.latest("id").is_deletion()


@pytest.mark.parametrize("typed", ["", "yes", "2", "4"])
def test_a_purge_wants_the_number_typed_that_it_takes(operator: Client, broker: RedisStreamsBroker, typed: str) -> None:
    bury(broker, [placed() for _ in range(3)])
    run = ask(operator, action="purge", group=GROUP)

    answer = agree(operator, run, confirmed=typed)

    assert "Type 3 to agree" in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()
    assert tally(broker, "dead", "purged") == [3, 0]


def test_quarantined_ones_come_back_only_by_a_wish(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()], quarantine=True)
    bury(broker, [placed()])
    run = ask(operator, action="replay")

    assert "Release the 1 quarantined, too" in said(operator, run)
    agree(operator, run, confirmed="yes")
    assert "Replayed 1 of 2 dead letters; 1 quarantined" in said(operator, run)
    assert tally(broker, "dead", "delayed", "quarantined") == [1, 1, 1]

    again = ask(operator, action="replay", only="quarantined")
    agree(operator, again, confirmed="yes", quarantined="yes")
    assert tally(broker, "dead", "delayed", "quarantined") == [0, 2, 0]


def test_a_run_begins_once_and_is_stopped_by_whoever_sees_it(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])
    run = ask(operator, action="replay")

    stopped = operator.post(f"{DEAD}run/{run.pk}/stop/", follow=True).content.decode()
    begun = operator.post(f"{DEAD}run/{run.pk}/begin/", {"confirmed": "yes"}, follow=True).content.decode()
    twice = operator.post(f"{DEAD}run/{run.pk}/stop/", follow=True).content.decode()
    sweep_letters()

    assert "Stopped. What was moved stays moved" in stopped
    assert "It has begun before, or was stopped" in begun
    assert "It had ended before." in twice
    assert tally(broker, "dead") == [1]
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")][1:] == [
        "Stopped: Replayed 0 of 1 dead letter; 1 had been moved before"
    ]


def test_the_script_is_told_how_far_it_is(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed() for _ in range(3)], reason=NASTY)
    run = ask(operator, action="replay")
    operator.post(f"{DEAD}run/{run.pk}/begin/", {"confirmed": "yes"})

    before = operator.get(f"{DEAD}run/{run.pk}/state/").json()
    sweep_letters()
    after = operator.get(f"{DEAD}run/{run.pk}/state/").json()

    assert (before["state"], before["at_work"], before["moved"], before["total"]) == ("running", True, 0, 3)
    assert before["note"].startswith("Waits for Celery's worker")
    assert (after["state"], after["at_work"], after["moved"]) == ("done", False, 3)
    assert operator.get(f"{DEAD}run/{UUID(int=7)}/state/").status_code == 404


def test_the_page_lists_what_matches_and_offers_all_of_it(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed("7", name="orders.OrderPlaced")], reason="OvenCold")
    bury(broker, [placed("8", name="orders.OrderPlaced")], reason=NASTY)

    page = operator.get(DEAD, {"group": GROUP, "reason": "script"}).content.decode()

    assert page.count('name="letter"') == 1
    assert "OvenCold" not in page
    assert "Purge all that match" in page
    assert "<script>window" not in page
    assert "match this filter" in operator.get(DEAD, {"key": "9"}).content.decode()
    everybody = operator.get(DEAD).content.decode()
    assert "Replay all…" in everybody
    assert "Purge all" not in everybody, "a purge names its group"


def test_what_makes_no_sense_is_refused(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])

    for form in (
        {},
        {"action": "burn"},
        {"action": "purge", "before_ms": "soon"},
        {"only": "x"},
        {"action": "replay", "key": "a\0"},
    ):
        assert operator.post(MATCHING, form).status_code == 400
    assert operator.get(DEAD, {"reason": "x" * 201}).status_code == 400
    groupless = operator.post(MATCHING, {"action": "purge", "confirmed": "1"}, follow=True)
    assert "Purge of which group?" in groupless.content.decode()
    nobody = operator.post(MATCHING, {"action": "replay", "key": "nobody"}, follow=True)
    assert "No dead letter matches" in nobody.content.decode()
    assert tally(broker, "dead") == [1]


def test_while_redis_is_away_nothing_is_changed_and_it_says_so(operator: Client, settings: object) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}

    answer = operator.post(MATCHING, {"action": "replay", "confirmed": "yes"}, follow=True)

    assert "Redis does not answer, so nothing was changed" in answer.content.decode()
    assert not LogEntry.objects.exists()


def test_reasons_that_differ_in_their_ids_are_one_kind_and_kinds_have_an_end(broker: RedisStreamsBroker) -> None:
    assert kind_of("OvenCold: 12° in oven o-7,\n again") == "OvenCold: … in oven … again"
    bury(broker, [placed()])
    [one] = broker.dead_letters(GROUP, TOPICS[0], "7")
    kinds = ["Boom " + "".join(chr(97 + int(digit)) for digit in str(n)) for n in range(500)]

    found = Found.of(replace(one, letter=msgspec.structs.replace(one.letter, reason=kind)) for kind in kinds)

    assert len(found.kinds) == 201
    assert found.reasons[-1] == (OTHER, 490)
    assert sum(number for _, number in found.reasons) == found.matched == 500


def _next_millisecond(broker: RedisStreamsBroker) -> None:
    seconds, microseconds = broker.redis.time()
    while broker.redis.time() < (seconds, microseconds + 2_000):
        pass
