"""What the chart begins with, and who works: read from the series and from what consumers say of themselves."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from queueing.about import About, Workload
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import load_runs, selectors
from queueing.console.history import Remembered, read_history
from queueing.console.reading import Reader
from queueing.models import ScaleEvent
from queueing.tests.console import GROUP, TOPICS, person, placed, read

pytestmark = pytest.mark.django_db
ADA = About(host="shop-1", pid=412, handled=12_345, per_s=986.4, memory_bytes=61_000_000)


@pytest.fixture
def broker(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    monkeypatch.setattr("queueing.console.history._remembered", Remembered())
    broker = make_broker()
    yield broker
    broker.redis.close()


def long_ago(client: redis.Redis, key: str, ago_s: int, *numbers: int) -> None:
    """A record as lua/series.lua would have written it."""
    second = client.time()[0] - ago_s
    record = "".join(f"{number:012}" for number in (second, *numbers))
    client.setrange(key, second % 3600 * len(record), record)


def test_the_chart_begins_with_what_the_queue_remembers(
    broker: RedisStreamsBroker, client: redis.Redis, django_user_model: type
) -> None:
    """Ten were told a minute ago and eight a while later; five were handled then, and thirteen are left."""
    broker.produce([placed("7") for _ in range(18)])
    broker.ack(GROUP, "ada", read(broker, 5))
    client.delete("q:{orders.placed:7}:series", "q:{orders.placed:7}:orders:series")
    long_ago(client, "q:{orders.placed:7}:series", 60, 0)
    long_ago(client, "q:{orders.placed:7}:series", 30, 10)
    long_ago(client, "q:{orders.placed:7}:orders:series", 20, 0, 0, 0, 0)

    answer = person(django_user_model, "ada", is_staff=True).get("/admin/queueing/queue/history/")
    history = json.loads(answer.content)["history"]

    lag, produced, consumed = history["lines"][GROUP]
    at = client.time()[0] - history["first_s"]
    assert len(lag) == len(produced) == len(consumed) == 300
    assert (sum(produced), sum(consumed)) == (18, 5)
    assert 10 in (produced[at - 60], produced[at - 61]), "in its own second, if the clock has not moved on meanwhile"
    assert (lag[at - 62], lag[at - 45], lag[at - 25], lag[-1]) == (0, 10, 18, 13)
    assert history["lines"]["all"][1][at - 61 : at - 59] == [
        sum(of[1][second] for name, of in history["lines"].items() if name != "all") for second in (at - 61, at - 60)
    ]


def test_an_hour_is_there_to_be_read(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    broker.produce([placed("7")])
    client.delete("q:{orders.placed:7}:series")
    long_ago(client, "q:{orders.placed:7}:series", 3_500, 0)
    long_ago(client, "q:{orders.placed:7}:series", 3_700, 5)  # its slot is another second's now

    history = read_history(last_s=3_599)

    assert len(history.lines[GROUP][1]) <= 600, "as many as are to be seen"
    assert round(sum(history.lines[GROUP][1]) * history.step_s) == 1


def test_nobody_else_reads_it(db: None) -> None:
    assert Client().get("/admin/queueing/queue/history/").status_code == 302


def test_without_redis_there_is_no_history(
    monkeypatch: pytest.MonkeyPatch, django_user_model: type, settings: object
) -> None:
    browser = person(django_user_model, "ada", is_staff=True)
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}  # type: ignore[attr-defined]

    assert browser.get("/admin/queueing/queue/history/").status_code == 503


def test_each_consumer_is_told_with_its_rate_its_hands_and_its_process(
    broker: RedisStreamsBroker, django_user_model: type
) -> None:
    broker.produce([placed() for _ in range(9)])
    broker.read(GROUP, "ada", TOPICS, 7, 0)
    broker.beat(GROUP, "ada", ADA)
    broker.beat(GROUP, "sam")
    said = io.StringIO()
    call_command("queue", "consumers", stdout=said)
    page = person(django_user_model, "operator", is_staff=True).get("/admin/queueing/queue/").content.decode()
    live = person(django_user_model, "lin", is_staff=True).get("/admin/queueing/queue/sample/").json()

    for text in ("12,345", "986/s", "61 MB", "412 on shop-1"):
        assert text in said.getvalue()
        assert text in page
    [crew] = [crew for crew in live["crews"] if crew["group"] == GROUP]
    ada, sam = crew["rows"]
    assert (ada["group"], ada["name"], ada["state"]) == (GROUP, "ada", "alive")
    assert [*ada["cells"][:3], *ada["cells"][4:]] == [
        *("412 on shop-1", "orders.placed/7", "986/s"),
        *("61 MB", "7", "12,345"),
    ]
    assert [*sam["cells"][:3], *sam["cells"][4:]] == ["—", "any", "—", "—", "0", "—"]


def test_a_consumer_counts_what_it_handles_and_how_fast() -> None:
    now = [100.0]
    workload = Workload(lambda: now[0])
    assert workload.about().per_s == 0

    for _ in range(30):
        now[0] += 0.5
        workload.handled += 50
        about = workload.about()

    assert (about.handled, about.per_s) == (1_500, 100.0)
    assert about.memory_bytes > 1_000_000
    now[0] += 60
    assert workload.about().per_s == 0, "of the last ten seconds"


def test_a_load_run_is_kept_as_the_charts_showed_it_and_the_oldest_is_forgotten(
    broker: RedisStreamsBroker, client: redis.Redis, django_user_model: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ada's run began two minutes ago with thirty orders, five of which were handled half a minute later."""
    monkeypatch.setattr(load_runs, "KEPT", 2)
    broker.produce([placed("7") for _ in range(30)])
    broker.ack(GROUP, "ada", read(broker, 5))
    client.delete("q:{orders.placed:7}:series", "q:{orders.placed:7}:orders:series")
    long_ago(client, "q:{orders.placed:7}:series", 110, 0)
    long_ago(client, "q:{orders.placed:7}:orders:series", 80, 0, 0, 0, 0)
    began = client.time()[0] - 120
    told = io.StringIO()

    for name in ("first", "second", "spike"):
        call_command("load_run", name, f"--began={began}", f"--ended={began + 60}", stdout=told)
    client.flushdb()

    ada = person(django_user_model, "ada", is_staff=True)
    page = ada.get("/admin/queueing/queue/").content.decode()
    assert re.findall(r'value="run=\d+">(\w+),', page) == ["spike", "second"]
    [number] = re.findall(r'value="run=(\d+)">spike', page)
    history = ada.get(f"/admin/queueing/queue/history/?run={number}").json()["history"]
    lag, produced, consumed = history["lines"][GROUP]
    assert abs(history["first_s"] - began) <= 1
    assert (sum(produced), sum(consumed), lag[-1]) == (30, 5, 25)
    assert 60 <= len(lag) <= 63
    for missing in ("0", "x", "9" * 30):
        assert ada.get(f"/admin/queueing/queue/history/?run={missing}").status_code == 404


@pytest.mark.parametrize(("began", "ended"), [(-4000, -100), (-10, -20)])
def test_a_run_that_nobody_remembers_or_that_is_no_time_is_not_kept(
    client: redis.Redis, began: int, ended: int
) -> None:
    now = client.time()[0]
    with pytest.raises(CommandError, match="nothing was kept"):
        call_command("load_run", "spike", f"--began={now + began}", f"--ended={now + ended}")


def test_the_charts_of_one_partition_and_of_the_hour(broker: RedisStreamsBroker, django_user_model: type) -> None:
    broker.produce([placed("7") for _ in range(9)] + [placed("8") for _ in range(4)])
    ada = person(django_user_model, "ada", is_staff=True)

    whole = ada.get("/admin/queueing/queue/history/?last=hour").json()
    one = ada.get(f"/admin/queueing/queue/history/?place={GROUP}/orders.placed/8").json()

    assert whole["history"]["step_s"] == 6
    assert len(whole["history"]["lines"]["all"][0]) == 599
    assert "orders.placed/8" in whole["partitions"][GROUP]
    assert list(one["history"]["lines"]) == [f"{GROUP}/orders.placed/8"]
    for wrong in ("?place=orders/orders.placed/9999", "?last=century"):
        assert ada.get(f"/admin/queueing/queue/history/{wrong}").status_code == 404


def test_what_the_autoscaler_did_stands_beside_the_charts_with_its_reason(
    broker: RedisStreamsBroker, django_user_model: type
) -> None:
    """It outlives whoever decided it: it is in the database. A reason is text, whatever it says."""
    broker.produce([placed()])
    for direction, desired in (("up", 4), ("hold", 4)):
        ScaleEvent.objects.create(
            id=uuid.uuid4(), at=timezone.now(), group=GROUP, direction=direction, lag=12_345, slope_per_s=800,
            acked_per_s=990, produced_per_s=1_790, cap=1000, desired=desired, actual=2,
            reason="<script>window.hacked=1</script> lag 12,345 is above 10,000", supervisor="shop-1",
        )  # fmt: skip
    ada = person(django_user_model, "ada", is_staff=True)

    page = ada.get("/admin/queueing/queue/").content.decode()
    marked = ada.get("/admin/queueing/queue/history/").json()["steps"]
    told = ada.get("/admin/queueing/queue/sample/").json()["steps"]

    assert "&lt;script&gt;window.hacked=1&lt;/script&gt; lag 12,345 is above 10,000" in page
    assert "<script>window" not in page
    assert [step["text"] for step in told] == ["stays at 4 consumers", "to 4 consumers"]
    assert [step["direction"] for step in marked] == ["up"], "what changed nothing is no mark in the chart"
