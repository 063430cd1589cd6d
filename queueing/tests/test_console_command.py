"""`manage.py queue`: the same numbers on a terminal, and a replay that asks."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.tests.console import GROUP, NASTY, PLACED, TOPICS, bury, person, placed, read, sits_there

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture(autouse=True)
def _operator(django_user_model: type) -> None:
    person(django_user_model, "operator", is_staff=True)


def queue(*words: str) -> str:
    said = io.StringIO()
    call_command("queue", *words, stdout=said)
    return said.getvalue()


def test_groups_says_what_the_page_says(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(1500)])
    broker.ack(GROUP, "ada", read(broker, 300))
    broker.beat(GROUP, "ada")

    table = queue("groups")
    facts = json.loads(queue("groups", "--json"))

    orders = next(line for line in table.splitlines() if line.startswith("orders"))
    assert orders.split()[:2] == ["orders", "1,200"]
    assert table.splitlines()[0].index("ALIVE") + len("ALIVE") - 1 == re.search(r" 300 +1 ", orders).end() - 2
    assert re.search(r" 1,500 +300 +1 +orders\.events 1,000/s, orders\.placed 1,000/s$", orders)
    assert "Outbox: 0 waiting" in table
    [group] = [group for group in facts["groups"] if group["group"] == GROUP]
    assert (group["lag"], group["appended"], group["acked"]) == (1200, 1500, 300)
    assert group["consumers"][0]["name"] == "ada"


def test_lag_is_told_again_and_again_each_time_anew(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(7)])
    broker.ack(GROUP, "ada", read(broker, 3))

    looks = [
        json.loads(line)
        for line in queue("lag", GROUP, "--topic", "orders.placed", "--every", "0.01", "--times", "2").splitlines()
    ]

    assert [(look["appended"], look["acked"], look["lag"]) for look in looks] == [(7, 3, 4)] * 2
    assert looks[0]["at_ms"] < looks[1]["at_ms"]


def test_lag_of_a_topic_that_the_group_does_not_read_is_refused() -> None:
    with pytest.raises(CommandError, match="orders does not read 'sales'; it reads"):
        queue("lag", GROUP, "--topic", "sales", "--times", "1")


def test_topics_are_told_one_by_one(broker: RedisStreamsBroker) -> None:
    broker.produce([placed(str(sale)) for sale in range(3)])

    line = next(line for line in queue("topics").splitlines() if re.match(r"orders +orders\.placed ", line))
    facts = json.loads(queue("topics", "--json"))

    assert line.split()[2:4] == ["3", "3"]
    [orders] = [group for group in facts if group["group"] == GROUP]
    assert {topic["topic"] for topic in orders["topics"]} >= set(TOPICS)


def test_dead_letters_cannot_command_the_terminal(broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()], reason=f"Boom: {NASTY}")

    table = queue("dead")
    facts = queue("dead", "--json")

    assert "Boom: <script>" in table
    assert table.replace("\n", "").isprintable()
    assert facts.isascii()
    assert json.loads(facts)[0]["reason"] == f"Boom: {NASTY}"
    assert "No dead letters." in queue("dead", "payments")
    assert "No dead letter matches: group orders, partition 77" in queue("dead", GROUP, "--partition", "77")


def test_replaying_by_id_is_written_down(broker: RedisStreamsBroker) -> None:
    one, other = bury(broker, [placed(), placed()])

    said = queue("replay", "--user", "operator", "--id", one.message.id, "--yes")

    assert "Replayed 1 of 1 dead letter." in said
    assert [buried.letter.id for buried in broker.dead_letters(GROUP, "orders.placed", "7")] == [other.message.id]
    assert LogEntry.objects.get().user.username == "operator"
    with pytest.raises(CommandError, match="not among the dead letters"):
        queue("replay", "--user", "operator", "--id", one.message.id, "--yes")


def test_a_dry_run_and_a_missing_yes_change_nothing(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(broker, [placed(), placed()])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert queue("replay", "--user", "operator", "--dry-run").count("orders.OrderPlaced") == 2
    with pytest.raises(CommandError, match="--yes"):
        queue("replay", "--user", "operator")

    assert len(broker.dead_letters(GROUP, "orders.placed", "7")) == 2
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 2), ("", 2)])
def test_it_asks_whoever_sits_there(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    bury(broker, [placed(), placed()])
    sits_there(monkeypatch, answer)

    if left:
        with pytest.raises(CommandError, match="nothing was changed"):
            queue("replay", "--user", "operator", GROUP)
    else:
        queue("replay", "--user", "operator", GROUP)

    assert len(broker.dead_letters(GROUP, "orders.placed", "7")) == left


def test_only_who_may_operate_replays(broker: RedisStreamsBroker, django_user_model: type) -> None:
    bury(broker, [placed()])
    person(django_user_model, "reader", is_staff=True)
    person(django_user_model, "shopper")

    for name in ("reader", "shopper", "nobody"):
        with pytest.raises(CommandError, match=r"queueing\.operate"):
            queue("replay", "--user", name, "--yes")

    assert len(broker.dead_letters(GROUP, "orders.placed", "7")) == 1


def test_mistakes_are_named(broker: RedisStreamsBroker, settings: object) -> None:
    with pytest.raises(CommandError, match=r"no group is called 'order'; there are: .*orders"):
        queue("dead", "order")
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}
    for words in (
        ["groups"],
        ["topics"],
        ["dead"],
        ["replay", "--user", "operator", "--yes"],
        ["pause", GROUP],
        ["rate", GROUP, "5"],
        ["reset", GROUP, "--topic", PLACED, "--end", "--yes"],
        ["prune", "--yes"],
        ["add-partitions", "orders.events", "--yes"],
    ):
        with pytest.raises(CommandError, match=r"^Redis does not answer at .*; once it does, run this again$"):
            queue(*words)


def command(*words: str, **variables: str) -> subprocess.Popen[str]:
    """As somebody types it: a process, whose every line is what they see."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "queue", *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_postgresql_that_is_away_is_named_in_one_line() -> None:
    with command("new-epoch", "--yes", DATABASE_URL="postgresql://127.0.0.1:1/nowhere") as asked:
        said, why = asked.communicate(timeout=60)

    assert (said, asked.returncode) == ("", 1)
    assert "Traceback" not in why
    assert why.splitlines()[-1].startswith("CommandError: PostgreSQL does not answer: ")
    assert why.rstrip().endswith("; once it does, run this again")


def test_a_reader_who_has_seen_enough_is_no_error(broker: RedisStreamsBroker) -> None:
    bury(broker, [placed()])

    with command("dead") as asked:
        asked.stdout.close()
        why = asked.stderr.read()

    assert "Traceback" not in why
    assert "BrokenPipe" not in why
    assert asked.returncode == 128 + signal.SIGPIPE


def test_a_question_does_not_mix_with_the_answer(broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(broker, [placed()])
    sits_there(monkeypatch, "y")

    assert json.loads(queue("replay", "--user", "operator", "--json"))["moved"] == 1


def test_an_operator_caps_a_topic_or_a_group_and_takes_it_back(broker: RedisStreamsBroker) -> None:
    assert queue("rate", "orders", "250", "--topic", "orders.placed") == (
        "orders.placed in orders is capped at 250 messages a second.\n"
    )
    assert "its own cap stays with" in queue("rate", "orders", "50")
    assert queue("rate", "inventory", "off") == "inventory has no cap.\n"

    assert broker.rates("orders") == {"orders.placed": 250.0, "": 50.0}
    table = {line.split()[0]: line for line in queue("groups").splitlines()}
    assert table["orders"].endswith("orders.events 1,000/s, orders.placed 250/s, others 50/s")
    assert table["inventory"].endswith(" none")

    queue("rate", "orders", "declared", "--topic", "orders.placed")
    queue("rate", "orders", "declared")
    assert broker.rates("orders") == {}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("rate", "bakers", "5"), "no group is called 'bakers'"),
        (("rate", "orders", "0"), "'0' is no number of messages a second"),
        (("rate", "orders", "many"), "'many' is no number of messages a second"),
        (("rate", "logistics", "5", "--topic", "orders.placed"), "logistics does not hear 'orders.placed'"),
    ],
)
def test_a_cap_of_nothing_is_refused(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(CommandError, match=re.escape(why)):
        queue(*words)
