"""All dead letters that match a filter, on the operator's pages: counted by reason, then moved."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import matching_views, selectors
from queueing.console.found import OTHER, Found, kind_of
from queueing.console.reading import Reader
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


def hidden(answer: HttpResponse) -> dict[str, str]:
    """What the page that asks sends when its button is pressed."""
    form = re.search(r'<form method="post"\s+action="[^"]*matching/".*?</form>', answer.content.decode(), re.DOTALL)
    assert form
    fields = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', form[0])
    return {name: html.unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def test_all_that_match_are_counted_by_reason_and_given_back_when_somebody_agrees(
    operator: Client, broker: RedisStreamsBroker
) -> None:
    bury(broker, [placed(str(n)) for n in range(120)], reason="OvenCold: 12° in oven o-7")
    bury(broker, [placed(str(n)) for n in range(3)], reason="OvenCold: 14° in oven o-9")
    bury(broker, [placed("7")], reason="CardExpired: 03/24")

    asked = operator.post(MATCHING, {"action": "replay", "group": GROUP, "reason": "ovencold"})
    page = asked.content.decode()

    assert "Replay 123 dead letters?" in page
    assert re.search(r'number">123</td>\s*<td class="reason">OvenCold: … in oven …<', page)
    assert "CardExpired" not in page
    assert tally(broker, "dead") == [124]
    assert not LogEntry.objects.exists()

    answer = operator.post(MATCHING, hidden(asked), follow=True)

    assert "Replayed 123 of 123 dead letters." in answer.content.decode()
    assert answer.redirect_chain == [(f"{DEAD}?group={GROUP}&reason=ovencold", 302)]
    assert tally(broker, "dead", "delayed") == [1, 123]
    entry = LogEntry.objects.get()
    assert entry.user.username == "operator"
    assert entry.change_message.startswith("Replayed 123 of 123 dead letters: ")
    assert entry.object_repr.startswith(f"dead letters: group {GROUP}, reason ovencold, before_ms ")


def test_what_dies_after_it_was_asked_stays(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])
    asked = operator.post(MATCHING, {"action": "purge", "group": GROUP})
    bury(broker, [placed()], reason="late")

    answer = operator.post(MATCHING, {**hidden(asked), "confirmed": "1"}, follow=True)

    assert "Purged 1 of 1 dead letter." in answer.content.decode()
    assert tally(broker, "dead", "purged") == [1, 1]
    assert "late" in answer.content.decode()


@pytest.mark.parametrize("typed", ["", "yes", "2", "4"])
def test_a_purge_wants_the_number_typed_that_it_takes_now(
    operator: Client, broker: RedisStreamsBroker, typed: str
) -> None:
    bury(broker, [placed() for _ in range(3)])

    answer = operator.post(MATCHING, {"action": "purge", "group": GROUP, "confirmed": typed})

    assert "Type 3 to agree" in answer.content.decode()
    assert tally(broker, "dead", "purged") == [3, 0]
    assert not LogEntry.objects.exists()


def test_quarantined_ones_come_back_only_by_a_wish(operator: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()], quarantine=True)
    bury(broker, [placed()])
    asked = operator.post(MATCHING, {"action": "replay"})

    assert "The 1 quarantined, too" in asked.content.decode()
    answer = operator.post(MATCHING, hidden(asked), follow=True)
    assert "Replayed 1 of 2 dead letters; 1 quarantined" in answer.content.decode()
    operator.post(MATCHING, {**hidden(asked), "quarantined": "yes"})
    assert tally(broker, "dead", "delayed") == [0, 2]


def test_more_than_a_web_process_should_move_are_taken_a_part_at_a_time(
    operator: Client, broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching_views, "MOST", 3)
    bury(broker, [placed() for _ in range(5)])

    asked = operator.post(MATCHING, {"action": "replay", "group": GROUP})
    assert "this takes the newest 3" in asked.content.decode()
    for left in (2, 0):
        operator.post(MATCHING, hidden(asked))
        assert tally(broker, "dead") == [left]


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

    for form in ({}, {"action": "burn"}, {"action": "purge", "before_ms": "soon"}, {"action": "replay", "key": "a\0"}):
        assert operator.post(MATCHING, form).status_code == 400
    assert operator.get(DEAD, {"reason": "x" * 201}).status_code == 400
    groupless = operator.post(MATCHING, {"action": "purge", "confirmed": "1"}, follow=True)
    assert "Purge of which group?" in groupless.content.decode()
    nobody = operator.post(MATCHING, {"action": "replay", "key": "nobody", "confirmed": "yes"}, follow=True)
    assert "No dead letter matches" in nobody.content.decode()
    assert tally(broker, "dead") == [1]
    assert not LogEntry.objects.exists()


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
