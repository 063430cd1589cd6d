"""`manage.py queue add-partitions`, on a real Redis."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.errors import BrokerUnavailable
from queueing.layout import Layout
from queueing.message import Message, new_id

pytestmark = pytest.mark.django_db

TOPIC = "orders.events"
HEARERS = sorted(group for group, subscription in subscriptions().items() if TOPIC in subscription.topics)


@pytest.fixture
def house(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


def queue(*words: str) -> str:
    said = io.StringIO()
    call_command("queue", *words, stdout=said)
    return said.getvalue()


def grown(*words: str) -> Any:
    return json.loads(queue("add-partitions", TOPIC, "--json", *words))


def tell(broker: RedisStreamsBroker, key: str) -> None:
    broker.produce([Message(new_id(), TOPIC, key, "tests.Nothing", 1, b"{}", 1)])


def test_a_dry_run_says_what_would_be_split_and_changes_nothing(house: RedisStreamsBroker) -> None:
    said = grown("--dry-run")

    assert (said["partitions"], said["becomes"], said["unfinished"]) == (4, 8, False)
    assert [(split["partition"], split["new"], split["done"]) for split in said["splits"]] == [
        (str(n), str(n + 4), False) for n in range(4)
    ]
    assert house.partitions(TOPIC) == ["0", "1", "2", "3"]


def test_nothing_is_split_unless_somebody_agrees(house: RedisStreamsBroker) -> None:
    with pytest.raises(CommandError, match="--yes"):
        queue("add-partitions", TOPIC)

    assert house.partitions(TOPIC) == ["0", "1", "2", "3"]


def test_partitions_double_and_the_table_says_who_is_behind(house: RedisStreamsBroker) -> None:
    key = next(key for key in map(str, range(99)) if Layout(8).partition_of(key) == "5")
    tell(house, key)

    said = queue("add-partitions", TOPIC, "--yes")
    assert f"{TOPIC}: 8 of 8 partitions." in said
    assert len(house.partitions(TOPIC)) == 8
    for group in HEARERS[1:]:
        house.ack(group, "ada", house.read(group, "ada", [TOPIC], 10, 0))
        house.read(group, "ada", [TOPIC], 10, 0)

    now = house.growth(TOPIC, HEARERS, becomes=8)
    assert {seen.split.child: seen.waiting for seen in now.splits} == {
        "4": (HEARERS[0],),
        "5": (HEARERS[0],),
        "6": (HEARERS[0],),
        "7": (HEARERS[0],),
    }
    row = next(line for line in said.splitlines() if line.split()[:2] == ["1", "5"])
    assert row.split()[2] == "yes"
    assert HEARERS[0] in row
    topics = queue("topics")
    assert any(line.split()[1:3] == [TOPIC, "8"] for line in topics.splitlines())


def test_growth_that_was_broken_off_is_finished_and_not_doubled_again(
    house: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = RedisStreamsBroker._split

    def dies_at_two(self: RedisStreamsBroker, topic: str, step: Any) -> None:
        if step.partition == "2":
            raise BrokerUnavailable("gone")
        split(self, topic, step)

    monkeypatch.setattr(RedisStreamsBroker, "_split", dies_at_two)
    with pytest.raises(CommandError, match="once it does, run this again"):
        queue("add-partitions", TOPIC, "--yes")
    monkeypatch.undo()
    tell(house, "anything goes on")
    half = grown("--dry-run")
    assert (half["partitions"], half["becomes"], half["unfinished"]) == (6, 8, True)

    assert grown("--yes")["partitions"] == 8
    assert grown("--dry-run")["becomes"] == 16


@pytest.mark.parametrize(
    ("topic", "why"), [("orders.placed", "its partitions are its keys"), ("orders.lost", "there are: ")]
)
def test_what_can_not_grow_is_said(house: RedisStreamsBroker, topic: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        queue("add-partitions", topic, "--yes")


def test_a_redis_that_is_away_is_said(settings: Any) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}

    with pytest.raises(CommandError, match="ConnectionError"):
        queue("add-partitions", TOPIC, "--yes")
