"""Groups put somewhere else, told to process again, paused; inbox rows deleted: `manage.py queue` on real servers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from msgspec.structs import replace

from queueing import keys
from queueing.broker import BEGINNING, Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import moving, selectors
from queueing.console.moving import NotRebuildable, reset_group
from queueing.console.reading import Reader
from queueing.event import Event
from queueing.inbox import inbox, next_generation
from queueing.message import Message, new_id
from queueing.models import InboxEntry, OutboxMessage
from queueing.outbox import publish
from queueing.pruning import YOUNGEST_S, prune_inbox
from queueing.subscription import Subscription
from queueing.tests.console import GROUP, bury, placed, read
from queueing.topic import Topic
from queueing.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


class SongPlayed(Event):
    wire = "tests.SongPlayed"
    topic = "radio"
    key_field = "song"

    song: str


class Charts:
    def __init__(self) -> None:
        self.played: list[str] = []

    def __call__(self, events: Sequence[SongPlayed]) -> None:
        self.played += [event.song for event in events]


TOPICS = {"radio": Topic("radio", retention_messages=2), "studio": Topic("studio")}


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))


@pytest.fixture
def house(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def radio(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


def queue(*words: str) -> str:
    said = io.StringIO()
    call_command("queue", *words, stdout=said)
    return said.getvalue()


def lag(broker: RedisStreamsBroker, topic: str = "orders.placed", group: str = GROUP) -> int:
    return sum(row.lag for row in broker.stats({group: [topic]}))


def play(broker: RedisStreamsBroker, *songs: str) -> list[str]:
    messages = [Message.of(SongPlayed(song=song)) for song in songs]
    broker.produce(messages)
    return [message.id for message in messages]


def listener(broker: RedisStreamsBroker, charts: Charts, *, rebuildable: bool = False) -> Worker:
    subscription = Subscription("charts", {SongPlayed: charts}, rebuildable=rebuildable)
    return Worker(subscription, broker, [inbox("charts", rebuildable=rebuildable)], collect_s=0)


class TestReset:
    def test_a_dry_run_says_what_would_come_and_moves_nothing(self, house: RedisStreamsBroker) -> None:
        house.produce([placed("7") for _ in range(5)])
        house.ack(GROUP, "ada", read(house, 5))

        said = queue("reset", GROUP, "--topic", "orders.placed", "--beginning", "--dry-run", "--json")

        assert json.loads(said) == [{"topic": "orders.placed", "partition": "7", "lag_before": 0, "lag": 5}]
        assert lag(house) == 0

    def test_every_partition_goes_back_to_a_time(self, house: RedisStreamsBroker, client: redis.Redis) -> None:
        house.produce([placed("7"), placed("8")])
        before = client.time()
        while client.time()[1] // 1000 == before[1] // 1000:
            pass  # the next millisecond
        seconds, microseconds = client.time()
        moment = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        house.produce([placed("7"), placed("8"), placed("8")])
        while batch := read(house, 10):
            house.ack(GROUP, "ada", batch)

        said = queue("reset", GROUP, "--topic", "orders.placed", "--to-time", moment.isoformat(), "--yes")

        assert lag(house) == 3
        assert [line.split()[1:] for line in said.splitlines()[1:]] == [["7", "0", "1"], ["8", "0", "2"]]

    def test_one_partition_goes_to_an_offset(self, house: RedisStreamsBroker) -> None:
        house.produce([placed("7") for _ in range(4)])
        batch = read(house, 4)
        house.ack(GROUP, "ada", batch)
        words = ["reset", GROUP, "--topic", "orders.placed", "--to-offset", batch[2].offset, "--yes"]

        with pytest.raises(CommandError, match="--partition"):
            queue(*words)
        queue(*words, "--partition", "7")

        assert [delivery.offset for delivery in read(house, 9)] == [delivery.offset for delivery in batch[2:]]

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["nobody", "--topic", "orders.placed", "--beginning"], "no group is called 'nobody'"),
            ([GROUP, "--topic", "sales.events.x", "--beginning"], "does not hear"),
            ([GROUP, "--topic", "orders.placed", "--beginning", "--partition", "9"], "no partition '9'"),
            ([GROUP, "--topic", "orders.placed", "--to-time", "2026-01-01T00:00:00"], "is no time with its zone"),
            ([GROUP, "--topic", "orders.placed", "--to-offset", "soon", "--partition", "7"], "is no offset"),
            ([GROUP, "--topic", "orders.placed", "--beginning", "--reprocess"], "not declared rebuildable"),
            ([GROUP, "--topic", "orders.placed", "--beginning"], "nobody is there to ask"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_moves_nothing(
        self, house: RedisStreamsBroker, words: list[str], why: str
    ) -> None:
        house.produce([placed("7")])
        house.ack(GROUP, "ada", read(house, 1))

        confirmed = [] if "nobody is" in why else ["--yes"]
        with pytest.raises(CommandError, match=why):
            queue("reset", *words, *confirmed)

        assert lag(house) == 0

    def test_dead_letters_and_counters_stay_true(self, house: RedisStreamsBroker) -> None:
        bury(house, [placed("7") for _ in range(2)])
        house.produce([placed("7")])

        queue("reset", GROUP, "--topic", "orders.placed", "--beginning", "--yes")

        [row] = house.stats({GROUP: ["orders.placed"]})
        assert (row.lag, row.dead, row.acked, row.skipped) == (3, 2, 2, -2)
        house.ack(GROUP, "ada", read(house, 9))
        [row] = house.stats({GROUP: ["orders.placed"]})
        assert (row.lag, row.dead, row.acked, row.done) == (0, 2, 5, 3)


class TestReprocessing:
    def test_redelivered_messages_are_recognised_and_reprocessed_ones_are_not(
        self, radio: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        charts = Charts()
        worker = listener(radio, charts, rebuildable=True)
        monkeypatch.setattr(moving, "subscriptions", lambda: {"charts": worker.subscription})
        monkeypatch.setattr(moving, "make_broker", lambda: RedisStreamsBroker(TOPICS, url=_url(radio)))
        play(radio, "hello", "goodbye")
        worker.step(0)

        reset_group(group="charts", topic="radio", to=BEGINNING)
        worker.step(0)
        assert charts.played == ["hello", "goodbye"]
        assert lag(radio, "radio", "charts") == 0

        for _ in range(2):
            reset_group(group="charts", topic="radio", to=BEGINNING, reprocess=True)
            worker.step(0)
        assert charts.played == ["hello", "goodbye"] * 3
        assert {entry.group for entry in InboxEntry.objects.all()} == {"charts", "charts#1", "charts#2"}

    def test_a_group_that_is_not_rebuildable_is_left_alone(self, house: RedisStreamsBroker) -> None:
        house.produce([placed("7")])
        house.ack(GROUP, "ada", read(house, 1))

        with pytest.raises(NotRebuildable, match="redeliver"):
            reset_group(group=GROUP, topic="orders.placed", to=BEGINNING, reprocess=True)

        assert lag(house) == 0


class TestPausing:
    def test_a_group_is_paused_and_resumed(self, house: RedisStreamsBroker) -> None:
        assert "read nothing" in queue("pause", GROUP)
        assert house.is_paused(GROUP)
        line = next(line for line in queue("groups").splitlines() if line.startswith(GROUP))
        assert "paused" in line.split()
        [group] = [group for group in json.loads(queue("groups", "--json"))["groups"] if group["group"] == GROUP]
        assert group["paused"] is True

        assert json.loads(queue("resume", GROUP, "--json")) == {"group": GROUP, "paused": False}

        assert not house.is_paused(GROUP)

    def test_a_group_nobody_knows_is_refused(self, house: RedisStreamsBroker) -> None:
        with pytest.raises(CommandError, match="no group is called 'ordres'"):
            queue("pause", "ordres")

        assert not house.is_paused("ordres")


class TestPruning:
    def prune(self, radio: RedisStreamsBroker, *, later_s: float = YOUNGEST_S + 10, **options: bool) -> dict[str, int]:
        now = datetime.now(UTC).timestamp() + later_s
        subscription = Subscription("charts", {SongPlayed: Charts()})
        return prune_inbox(radio, {"charts": subscription}, now=now, **options)

    def inbox_of(self, group: str = "charts") -> set[str]:
        return {str(entry.message_id) for entry in InboxEntry.objects.filter(group=group)}

    def test_rows_of_trimmed_messages_go_and_all_others_stay(self, radio: RedisStreamsBroker) -> None:
        charts = Charts()
        worker = listener(radio, charts)
        ids = play(radio, *[f"song-{n}" for n in range(6)])
        worker.step(0)
        radio.trim("radio", ["charts"])

        assert self.prune(radio, later_s=0) == {"charts": 0}, "too young"
        assert self.prune(radio, dry_run=True) == {"charts": 4}
        assert self.inbox_of() == set(ids)
        assert self.prune(radio) == {"charts": 4}
        assert self.inbox_of() == set(ids[4:])
        assert self.prune(radio) == {"charts": 0}

    def test_what_is_delayed_waiting_dead_or_not_told_yet_stays(self, radio: RedisStreamsBroker) -> None:
        """Each has been handled once, and a copy of it may still come."""
        worker = listener(radio, Charts())
        ids = play(radio, "gone", "waiting", "dead", "delayed", "untold")
        worker.step(0)
        [gone, *stay] = ids
        copies = [Message(id_, "radio", "x", SongPlayed.wire, 1, b'{"song":"x"}', 0) for id_ in ids]
        radio.produce([copies[1], copies[2]])
        batch = radio.read("charts", "ada", ["radio"], 9, 0)
        radio.retry("charts", "ada", batch[0], 3600, Failure("x"), count=True)
        radio.bury("charts", "ada", batch[1], Failure("x"))
        radio.produce([replace(copies[3], deliver_at_ms=4_000_000_000_000)])
        self.publish_again(ids[4])
        play(radio, "new", "newer")
        worker.step(0)
        radio.trim("radio", ["charts"])

        assert self.prune(radio) == {"charts": 1}

        assert gone not in self.inbox_of()
        assert self.inbox_of() >= set(stay)

    def publish_again(self, message_id: str) -> None:
        with transaction.atomic():
            [drawn] = publish(SongPlayed(song="untold"))
            OutboxMessage.objects.filter(message_id=drawn).update(message_id=message_id)

    def test_rows_of_an_earlier_generation_go(self, radio: RedisStreamsBroker) -> None:
        worker = listener(radio, Charts(), rebuildable=True)
        play(radio, "hello")
        worker.step(0)
        next_generation("charts")
        radio.seek("charts", "radio", "0", BEGINNING)
        worker.step(0)
        assert (len(self.inbox_of()), len(self.inbox_of("charts#1"))) == (1, 1)

        assert self.prune(radio) == {"charts": 1}

        assert (len(self.inbox_of()), len(self.inbox_of("charts#1"))) == (0, 1)

    def test_a_group_whose_topics_keep_everything_keeps_its_inbox(self, radio: RedisStreamsBroker) -> None:
        InboxEntry.objects.create(group="engineers", message_id=new_id())
        subscription = Subscription("engineers", {})
        now = datetime.now(UTC).timestamp() + 10 * YOUNGEST_S

        assert prune_inbox(radio, {"engineers": subscription}, now=now) == {}
        assert InboxEntry.objects.count() == 1

    def test_on_the_terminal(self, house: RedisStreamsBroker, client: redis.Redis) -> None:
        entry = InboxEntry.objects.create(group="logistics", message_id=new_id())
        InboxEntry.objects.filter(pk=entry.pk).update(handled_at=datetime.now(UTC) - timedelta(days=2))

        assert json.loads(queue("prune", "--dry-run", "--json"))["logistics"] == 1
        assert InboxEntry.objects.count() == 1
        assert "logistics" in queue("prune", "--yes")
        assert InboxEntry.objects.count() == 0


def test_topics_says_what_is_kept_and_trimmed(house: RedisStreamsBroker, client: redis.Redis) -> None:
    house.produce([placed("7") for _ in range(3)])
    client.hset(keys.meta("orders.placed", "7"), mapping={"trimmed": 4, "appended": 7})

    line = next(line for line in queue("topics").splitlines() if line.split()[:2] == ["orders", "orders.placed"])

    assert line.split()[-2:] == ["3", "4"]


def _url(broker: RedisStreamsBroker) -> str:
    where = broker.redis.connection_pool.connection_kwargs
    return f"redis://{where['host']}:{where['port']}/{where['db']}"
