"""The operator's page while Redis is away, on a server of the test's own that can be taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from config.stack.servers import Valkey
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.tests.console import bury, person, placed, token

QUEUE = "/admin/queueing/queue/"
SAMPLE = f"{QUEUE}sample/"
DEAD = f"{QUEUE}dead/"
LETTER = f"{DEAD}letter/"
ACT = f"{DEAD}act/"


@pytest.fixture
def operator(db: None, django_user_model: type) -> Client:
    return person(django_user_model, "operator", is_staff=True)


@pytest.fixture
def own_redis(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """A server of this test's own, to take away."""
    server = Valkey(tmp_path / "valkey", settings={"appendfsync": "no"})
    server.spawn()
    server.wait_until_ready()
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": server.url}}
    yield server
    server.stop()


def test_without_redis_the_page_says_so_and_recovers(operator: Client, own_redis: Valkey) -> None:
    broker = make_broker()
    [letter] = bury(broker, [placed()])
    broker.produce([placed() for _ in range(40)])
    assert "40" in operator.get(SAMPLE).json()["cells"]["orders.lag"]["text"]
    broker.redis.close()
    own_redis.stop()

    pages = {path: operator.get(path, {"letter": token(letter)}) for path in (QUEUE, SAMPLE, DEAD, LETTER)}

    assert {answer.status_code for answer in pages.values()} == {200}
    assert "Redis does not answer. Nothing is known since" in pages[QUEUE].content.decode()
    assert "data-stale" in pages[QUEUE].content.decode()
    assert pages[SAMPLE].json()["stale"]
    assert pages[SAMPLE].json()["cells"]["orders.lag"]["text"] == "40", "what was known, greyed"
    assert "Redis does not answer" in pages[DEAD].content.decode()
    assert "Redis does not answer" in pages[LETTER].content.decode()
    answer = operator.post(ACT, {"letter": token(letter), "action": "replay", "confirmed": "yes"}, follow=True)
    assert "Replayed 0 of 1 dead letter, then Redis stopped answering" in answer.content.decode()
    assert "Redis stopped answering" in LogEntry.objects.get().change_message

    own_redis.spawn()
    own_redis.wait_until_ready()

    live = operator.get(SAMPLE).json()
    assert not live["stale"]
    assert live["banner"] == ""
    assert live["cells"]["dead"]["text"] == "1"


def test_a_page_opened_while_redis_is_away_knows_nothing_and_says_since_when(
    operator: Client, own_redis: Valkey
) -> None:
    own_redis.stop()

    page = operator.get(QUEUE)

    assert page.status_code == 200
    assert "Nothing is known about the queue since" in page.content.decode()
