"""The fault room: one click begins a fault, and it ends by itself or by another click, whoever looks."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from msgspec.structs import replace

from config.room import faults_made
from config.room.faults_offered import OFFERS
from queueing.about import About
from queueing.autoscaler import asking
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.faults import store
from queueing.faults.fault import Fault, Kind
from shop.models import User

pytestmark = pytest.mark.django_db
ROOM = "/admin/room/faults/"
BANK = {"kind": "bank", "strength": "5", "seconds": "30"}
PACE = {"kind": "pace", "group": "orders", "strength": "1000", "seconds": "30"}
STOP = {"kind": "stop", "group": "inventory", "seconds": "30"}


@pytest.fixture
def broker(settings, monkeypatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield make_broker()
        client.flushdb()


def operator(name: str = "grace", *, may_act: bool = True) -> Client:
    user = User.objects.create_user(name, password="hopper", is_staff=True)
    if may_act:
        user.user_permissions.add(Permission.objects.get(codename="operate"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def grace(broker: RedisStreamsBroker) -> Client:
    return operator()


def begin(client: Client, form: dict[str, Any]) -> str:
    """What the page says then."""
    answer = client.post(f"{ROOM}begin/", form, follow=True)
    return answer.content.decode()


def acting(client: Client) -> list[dict[str, Any]]:
    return client.get(f"{ROOM}live/").json()["acting"]


def logged() -> list[str]:
    return list(LogEntry.objects.order_by("id").values_list("change_message", flat=True))


def test_one_click_begins_it_and_everybody_sees_what_acts_for_how_long_and_by_whom(grace: Client) -> None:
    page = begin(grace, PACE)

    assert "Slow consumers (orders), each handles 1,000 messages a second, for 30 s." in page
    [one] = acting(operator("ada", may_act=False))
    assert 25 < one.pop("left_s") <= 30
    one.pop("id")
    assert one == {
        "kind": "pace",
        "group": "orders",
        "said": "Slow consumers (orders), each handles 1,000 messages a second",
        "by": "grace",
        "did": "0 messages at this pace",
    }
    assert logged() == ["Began: Slow consumers (orders), each handles 1,000 messages a second, for 30 s"]


def test_end_now_ends_the_one_that_was_seen_and_no_other(grace: Client) -> None:
    begin(grace, BANK)
    [one] = acting(grace)
    form = {"kind": "bank", "id": one["id"]}

    assert "Slow payments: ended." in grace.post(f"{ROOM}end/", form, follow=True).content.decode()

    assert acting(grace) == []
    begin(grace, BANK)
    assert "it had ended" in grace.post(f"{ROOM}end/", form, follow=True).content.decode()
    assert len(acting(grace)) == 1
    assert [line.split(":")[0] for line in logged()] == ["Began", "Ended", "Began"]


def test_of_two_operators_the_second_is_told_who_was_first(grace: Client) -> None:
    ada = operator("ada")
    begin(grace, BANK)

    said = begin(ada, {**BANK, "strength": "1"})

    assert "Nothing was done: Slow payments, answers after 5 s acts already, begun by grace, for 30 s more." in said
    assert [one["by"] for one in acting(ada)] == ["grace"]
    assert len(logged()) == 1
    begin(ada, PACE)
    begin(ada, {**PACE, "group": "inventory"})
    assert {(one["kind"], one["group"]) for one in acting(grace)} == {
        ("bank", ""), ("pace", "orders"), ("pace", "inventory")
    }  # fmt: skip


def test_a_stopped_group_is_held_at_no_consumer_and_asks_for_them_again_at_the_end(grace: Client) -> None:
    begin(grace, STOP)

    wanted = asking.read("inventory")
    assert (wanted.desired, wanted.held_why) == (0, "the fault room, grace")
    assert "are held at 0 already" in begin(operator("ada"), STOP)
    [one] = acting(grace)
    assert (one["said"], one["did"]) == ("Stop a group (inventory)", "none of its consumers at work")
    assert 25 < one["left_s"] <= 30

    grace.post(f"{ROOM}end/", {"kind": "stop", "group": "inventory", "id": one["id"]})

    assert asking.read("inventory").desired == wanted.least
    assert acting(grace) == []


def test_to_end_a_stop_that_was_seen_does_not_end_what_another_operator_has_held_since(grace: Client) -> None:
    begin(grace, STOP)
    [seen] = acting(grace)
    asking.hold("inventory", 3, 60, "ada, by hand")

    said = grace.post(f"{ROOM}end/", {"kind": "stop", "group": "inventory", "id": seen["id"]}, follow=True)

    assert "it had ended" in said.content.decode()
    assert asking.read("inventory").desired == 3
    assert "are held at 3 already, by ada, by hand" in begin(grace, STOP)


def test_of_many_who_stop_a_group_at_once_one_does(grace: Client) -> None:
    with ThreadPoolExecutor(8) as operators:
        done = list(operators.map(lambda n: asking.hold("inventory", 0, 30, f"{n}", replace=False), range(8)))

    assert sum(done) == 1
    assert asking.read("inventory").held_why == str(done.index(True))


def test_the_busiest_consumer_of_this_machine_is_frozen(grace: Client, broker: RedisStreamsBroker) -> None:
    form = {"kind": "freeze", "group": "orders", "seconds": "30"}
    about = About(host=socket.gethostname(), pid=4_000_000, handled=0, per_s=1.0, memory_bytes=0)
    broker.beat("orders", "elsewhere", replace(about, host="elsewhere", per_s=99.0))
    assert f"no consumer of orders runs on this machine ({socket.gethostname()})" in begin(grace, form)
    broker.beat("orders", "idle", about)
    broker.beat("orders", "busy", replace(about, pid=os.getpid(), per_s=50.0))

    begin(grace, form)

    [running] = store.running(broker.redis, ["orders"])
    assert (running.fault.host, running.fault.pid) == (socket.gethostname(), os.getpid())
    assert acting(grace)[0]["did"] == f"process {os.getpid()} has not stopped yet"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "flood"}, "no fault is called 'flood'"),
        ({"group": "pirates"}, "no group is called 'pirates'"),
        ({"group": "<script>"}, "no group is called '&lt;script&gt;'"),
        ({"seconds": "0"}, "seconds: 0 is not between 1 and 600"),
        ({"seconds": "1e9"}, "is not between 1 and 600"),
        ({"seconds": "nan"}, "seconds: nan is not between"),
        ({"seconds": ""}, "is no number"),
        ({"strength": "-1"}, "Each handles: -1 is not between 100 and 100000"),
    ],
)
def test_what_there_is_not_is_400_and_changes_nothing(grace: Client, change: dict[str, str], why: str) -> None:
    answer = grace.post(f"{ROOM}begin/", {**PACE, **change})

    assert answer.status_code == 400
    assert why in answer.content.decode().replace("&#x27;", "'")
    assert why not in (answer.context["banner"] or ""), "the next live sample would wipe it there"
    assert acting(grace) == []
    assert logged() == []


@pytest.mark.parametrize("kind", OFFERS)
def test_every_fault_that_is_offered_can_be_begun_with_what_its_card_proposes(
    kind: str, grace: Client, broker: RedisStreamsBroker
) -> None:
    broker.beat("orders", "ada", About(host=socket.gethostname(), pid=os.getpid(), handled=0, per_s=0, memory_bytes=0))
    card = grace.get(ROOM).content.decode().split(f'data-kind="{kind}"')[1].split("</form>")[0]
    form = {"kind": kind, "seconds": "15", "group": OFFERS[kind].usual_group}
    if found := re.search(r'name="strength"\s+value="([^"]*)"', card):
        form["strength"] = found[1]

    begin(grace, form)

    assert [one["kind"] for one in acting(grace)] == [kind]


def test_who_only_looks_sees_no_buttons_and_may_not_act(broker: RedisStreamsBroker) -> None:
    reader = operator("reader", may_act=False)

    page = reader.get(ROOM).content.decode()

    assert "Begin" not in page
    assert "You may watch." in page
    assert reader.post(f"{ROOM}begin/", BANK).status_code == 403
    assert acting(reader) == []


def test_where_there_is_no_fault_room_there_are_no_addresses(grace: Client, settings) -> None:
    assert "Fault room" in grace.get(ROOM).content.decode()
    settings.FAULT_ROOM = False

    for path in ("", "live/", "stream/"):
        assert grace.get(ROOM + path).status_code == 404
    for path in ("begin/", "end/"):
        assert grace.post(ROOM + path, BANK).status_code == 404
    assert "Fault room" not in grace.get("/admin/").content.decode()


def test_without_redis_the_page_says_what_it_does_not_know(grace: Client, settings, monkeypatch) -> None:
    begin(grace, BANK)
    away = redis.Redis(port=1, retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    for module in ("queueing.console.sampling", "queueing.autoscaler.asking", "config.room.faults_made"):
        monkeypatch.setattr(f"{module}.client", lambda: away)

    answer = grace.get(ROOM)

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Redis does not answer." in page
    live = grace.get(f"{ROOM}live/").json()
    assert (live["stale"], live["acting"]) == (True, None)
    assert "nobody knows whether that was done" in begin(grace, {**BANK, "kind": "sms", "strength": "20"})
    assert len(logged()) == 1, "nothing was begun, and nothing says so"


def test_what_a_fault_has_done_is_said_in_words(grace: Client, broker: RedisStreamsBroker) -> None:
    for fault, did in (
        (Fault(kind=Kind.BANK, value=5), {"asked": 7, "answered": 4}),
        (Fault(kind=Kind.SMS, value=0.2), {"asked": 1_000, "refused": 200}),
        (Fault(kind=Kind.DATABASE, value=500), {"messages": 1_500, "transactions": 3, "turned_away": 2}),
    ):
        store.begin(broker.redis, fault, seconds=30)
        store.count(broker.redis, fault, **did)

    assert {one["kind"]: one["did"] for one in acting(grace)} == {
        "bank": "7 asked, 3 wait now",
        "sms": "200 of 1,000 SMS refused",
        "database": "1,500 messages in 3 transactions; 2 times too many waited",
    }


def test_a_fault_in_redis_that_is_nobodys_business_breaks_nothing(grace: Client, broker: RedisStreamsBroker) -> None:
    broker.redis.set("q:{faults}:bank", b'{"kind":"bank","by":"<script>alert(1)</script>"}', px=30_000)
    broker.redis.set("q:{faults}:sms", b"\xff", px=30_000)

    page = grace.get(ROOM).content.decode()

    assert "<script>alert" not in page
    assert [one["kind"] for one in acting(grace)] == ["bank"]
    assert faults_made.in_words(OFFERS["bank"], "", None) == "Slow payments"
