"""Every action leaves a row: who, when, what, how many. Those of pages are in test_roles.py; here the terminal's."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command, load_command_class
from django.db import OperationalError
from django.test import Client

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console.logbook import COMMAND_LINE, account, write_down
from queueing.management import asking
from queueing.tests.console import NASTY, bury, person, placed
from shop.models import User

pytestmark = pytest.mark.django_db

ANN = ("--user", "operator")
RESET = ("orders", "--topic", "orders.placed", "--beginning")
# Each action of `manage.py queue`: None looks; the others are done so, and say so. {…} is whatever it comes to.
QUEUE: dict[str, tuple[tuple[str, ...], str] | None] = {
    **dict.fromkeys(["groups", "topics", "consumers", "lag", "dead"]),
    "replay": (("orders", *ANN), "Replayed 1 of 1 dead letter"),
    "purge": (("orders", *ANN), "Purged 1 of 1 dead letter"),
    "reset": (RESET, "Put orders at beginning in orders.placed: lag"),
    "pause": (("orders",), "Paused orders"),
    "resume": (("orders",), "Resumed orders"),
    "rate": (("orders", "500"), "Rate of orders: 500 messages/s"),
    "scale": (("orders", "1"), "Held 1 consumers for 600 s"),
    "prune": ((), "Deleted 0 inbox rows"),
    "add-partitions": (("orders.events",), "Let orders.events grow to 8 partitions of 8"),
    "retire": (("ghosts", *ANN), "Retired ghosts"),
    "new-epoch": ((), "Began epoch"),
}


@pytest.fixture
def broker() -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    broker.redis.flushdb()
    yield broker
    broker.redis.flushdb()
    broker.redis.close()


def actions_of(app: str, command: str) -> set[str]:
    parser = load_command_class(app, command).create_parser("manage.py", command)
    [subparsers] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return set(subparsers.choices)


def test_every_action_of_the_queues_command_is_known_to_look_or_to_write_down_what_it_did() -> None:
    known, there = set(QUEUE), actions_of("queueing", "queue")

    assert there == known, f"say in QUEUE of {__name__} what these leave in the log: {there ^ known}"


@pytest.mark.parametrize("action", [action for action, done in QUEUE.items() if done])
def test_what_is_done_on_a_terminal_is_written_down(
    broker: RedisStreamsBroker, django_user_model: type, action: str
) -> None:
    words, said = QUEUE[action] or ((), "")
    person(django_user_model, "operator", is_staff=True)
    bury(broker, [placed()])
    broker.read("ghosts", "boo", ["sales.events"], 1, 0)

    yes = () if action in ("pause", "resume", "rate", "scale") else ("--yes",)
    call_command("queue", action, *words, *yes, stdout=StringIO(), stderr=StringIO())

    row = LogEntry.objects.order_by("-id")[0]
    by = "operator" if "--user" in words else COMMAND_LINE
    assert row.user.get_username() == by
    assert row.change_message.removeprefix(f"{account()}: ").startswith(said)
    assert row.change_message.startswith(account()) == (by == COMMAND_LINE)


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("open_sale", ("--stock", "50"), "Scheduled 50 units at 4,900 cents"),
        ("shoppers", ("--count", "3"), "Made 3 shoppers, load-000001 to load-000003"),
    ],
)
def test_sales_and_crowds_made_on_a_terminal_are_written_down(command: str, words: tuple[str, ...], said: str) -> None:
    call_command(command, *words, stdout=StringIO())

    assert LogEntry.objects.get().change_message.startswith(f"{account()}: {said}")


def test_passes_are_written_down(tmp_path: Any) -> None:
    call_command("shoppers", "--count", "3", stdout=StringIO())
    call_command("passes", "--sale", "7", "--count", "2", "--out", str(tmp_path / "passes"), stdout=StringIO())

    assert "Issued 2 passes of sale 7" in LogEntry.objects.order_by("-id")[0].change_message


def test_that_postgresql_is_away_stops_nobody_from_pausing(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(asking, "write_down", away)
    complaint = StringIO()

    call_command("queue", "pause", "orders", stdout=StringIO(), stderr=complaint)

    assert broker.is_paused("orders")
    assert "the log does not have it: Paused orders" in complaint.getvalue()


def test_nobody_logs_in_as_the_command_line() -> None:
    write_down(None, "orders", "Paused orders")

    nobody = User.objects.get(username=COMMAND_LINE)
    assert not nobody.is_active
    assert not nobody.check_password("!")
    assert not nobody.has_usable_password()


def test_the_staff_reads_the_log_by_who_and_what_and_nobody_changes_it(client: Client, django_user_model: type) -> None:
    reader = person(django_user_model, "reader", is_staff=True)
    write_down(None, "orders", f"Paused orders {NASTY}")
    write_down(User.objects.get(username="reader"), "payments", "Resumed payments")
    log = "/admin/admin/logentry/"

    everything = reader.get(log).content.decode()
    of_one = reader.get(log, {"user__id__exact": User.objects.get(username=COMMAND_LINE).pk}).content.decode()
    found = reader.get(log, {"q": "resumed"}).content.decode()
    one = reader.get(f"{log}{LogEntry.objects.first().pk}/change/").content.decode()

    assert "Resumed payments" in everything
    assert f"{account()}: Paused orders" in everything
    assert "Resumed payments" not in of_one
    assert "Paused orders" not in found
    assert "Resumed payments" in one
    for page in (everything, of_one, one):
        assert "<script>window" not in page
        assert "\u2028" not in page
    assert reader.post(f"{log}{LogEntry.objects.first().pk}/change/", {}).status_code == 403
    assert reader.get(log, {"user__id__exact": "x"}).status_code == 302
