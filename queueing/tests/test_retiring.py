"""A group that nobody declares any more is forgotten: everywhere, once, and nobody else's things with it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from queueing import keys, tasks
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import retiring
from queueing.message import Message, new_id
from queueing.models import InboxEntry, InboxGeneration
from queueing.tests.conformance import WHY
from queueing.tests.console import GROUP, PLACED, person, placed, read, sits_there

GHOST = "points_%"  # a name that a careless LIKE would take for others, too
pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(client: redis.Redis, django_user_model: type) -> Iterator[RedisStreamsBroker]:
    person(django_user_model, "operator", is_staff=True)
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def ghost(broker: RedisStreamsBroker) -> list[Message]:
    """It read three orders: one is dead, one comes again, one is in hand. Two are not read; group orders read all."""
    sent = [placed() for _ in range(5)]
    broker.produce(sent)
    dead, again, _ = broker.read(GHOST, "casper", [PLACED], 3, 0)
    broker.bury(GHOST, "casper", dead, WHY)
    broker.retry(GHOST, "casper", again, 60, WHY, count=True)
    for name in (GHOST, f"{GHOST}#1", "points_x#1", GROUP):
        InboxEntry.objects.create(group=name, message_id=new_id())
    InboxGeneration.objects.create(group=GHOST, number=1)
    broker.ack(GROUP, "ada", read(broker, 10))
    return sent


def retire(*words: str) -> str:
    said = io.StringIO()
    call_command("queue", "retire", *words, "--user", "operator", stdout=said)
    return said.getvalue()


def test_a_dry_run_says_what_it_leaves(broker: RedisStreamsBroker, ghost: list[Message]) -> None:
    said = retire(GHOST, "--dry-run")
    facts = json.loads(retire(GHOST, "--dry-run", "--json"))

    line = next(line for line in said.splitlines() if line.startswith(PLACED))
    assert line.split() == [PLACED, "7", "3", "1", "1", "0", "1"]
    assert "2 inbox rows." in said
    assert (facts["dry_run"], facts["retired"]["inbox_rows"]) == (True, 2)
    assert [row["dead"] for row in facts["retired"]["remains"]] == [1]
    assert broker.redis.exists(keys.dead(PLACED, "7", GHOST))
    assert not LogEntry.objects.exists()


def test_a_retired_group_is_forgotten_everywhere_and_nobody_else_is(
    broker: RedisStreamsBroker, ghost: list[Message]
) -> None:
    broker.pause(GHOST)
    for topic in ("", PLACED):
        broker.charge(GHOST, 1, 1.0, topic=topic)
        broker.set_rate(GHOST, 1.0, topic=topic)
    broker.redis.xtrim(keys.log(PLACED, "7"), minid="0")  # a log that is there
    table = io.StringIO()
    call_command("queue", "groups", stdout=table)
    assert f"holding up trimming until retired: {GHOST}" in table.getvalue()

    assert f"{GHOST} is retired." in retire(GHOST, "--yes")

    assert [key for key in broker.redis.scan_iter("*") if GHOST.encode() in key] == []
    assert GHOST not in broker.places_of_groups()
    assert not broker.is_paused(GHOST)
    assert sorted(InboxEntry.objects.values_list("group", flat=True)) == [GROUP, "points_x#1"]
    assert not InboxGeneration.objects.exists()
    [orders] = [row for row in broker.stats({GROUP: [PLACED]}) if row.partition == "7"]
    assert (orders.acked, orders.done, orders.kept) == (5, 5, 5)
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == [
        f"Retiring {GHOST}: 1 partitions, 5 messages it never handled, 2 inbox rows",
        f"Retired {GHOST}",
    ]
    with pytest.raises(CommandError, match="nothing is left of a group"):
        retire(GHOST, "--yes")


def test_one_that_died_half_way_is_finished_by_the_next(
    broker: RedisStreamsBroker, ghost: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(group: str) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(retiring, "_delete_rows", die)
        with pytest.raises(SystemExit):
            retire(GHOST, "--yes")
    assert InboxEntry.objects.filter(group=GHOST).exists()

    retire(GHOST, "--yes")

    assert not InboxEntry.objects.filter(group=GHOST).exists()


def test_what_is_declared_or_at_work_or_unknown_is_not_retired(
    broker: RedisStreamsBroker, ghost: list[Message]
) -> None:
    broker.beat(GHOST, "casper")

    for name, why in (
        (GROUP, "is declared by an app's handlers.py"),
        (GHOST, r"a consumer of points_% beat 0 s ago; stop them all"),
        ("nobody", f"nothing is left of a group 'nobody'; undeclared and not retired: {GHOST}"),
    ):
        with pytest.raises(CommandError, match=why):
            retire(name, "--yes")
    assert broker.redis.exists(keys.dead(PLACED, "7", GHOST))


def test_it_asks_for_the_name(
    broker: RedisStreamsBroker, ghost: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    sits_there(monkeypatch, "y")

    with pytest.raises(CommandError, match="nothing was changed"):
        retire(GHOST)
    assert broker.redis.exists(keys.dead(PLACED, "7", GHOST))


def test_the_inbox_is_pruned_by_celery(broker: RedisStreamsBroker) -> None:
    old, young = (InboxEntry.objects.create(group=GROUP, message_id=new_id()) for _ in range(2))
    InboxEntry.objects.filter(message_id=old.message_id).update(handled_at=timezone.now() - timedelta(hours=2))

    tasks.prune_inbox()

    assert [str(entry.message_id) for entry in InboxEntry.objects.all()] == [young.message_id]


def test_while_redis_is_away_nothing_is_pruned(settings: object, caplog: pytest.LogCaptureFixture) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}

    tasks.prune_inbox()

    assert "nothing was pruned" in caplog.text
