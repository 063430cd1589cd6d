"""The console's numbers are what was produced, acknowledged, retried and buried."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.db import transaction
from msgspec.structs import replace

from queueing import health
from queueing.broker import Failure
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import words
from queueing.console.levels import level
from queueing.console.rates import ALL, rates, slowest
from queueing.console.reading import Reader
from queueing.console.sampling import take_sample
from queueing.console.snapshot import Consumer, Counts, Group, Outbox, Snapshot
from queueing.models import OutboxMessage
from queueing.tests.console import GROUP, placed, read

WHY = Failure("OvenCold: 12°", "Traceback: …")


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


def group_of(snapshot: Snapshot, name: str) -> Group:
    return next(group for group in snapshot.groups if group.group == name)


@pytest.mark.django_db
def test_a_snapshot_counts_what_was_produced_acked_retried_and_buried(broker: RedisStreamsBroker) -> None:
    broker.produce([placed("7") for _ in range(20)] + [placed("8") for _ in range(10)])
    broker.produce([replace(placed("8"), deliver_at_ms=4_000_000_000_000)])
    batch = read(broker, 10, consumer="ada") + read(broker, 10, consumer="lin")
    broker.ack(GROUP, "ada", batch[:5])
    broker.retry(GROUP, "ada", batch[5], 60, WHY, count=True)
    broker.bury(GROUP, "ada", batch[6], WHY)

    snapshot = take_sample()

    orders = group_of(snapshot, GROUP)
    in_hand = len(batch) - 7
    assert (orders.appended, orders.acked, orders.lag) == (30, 7, 23)
    assert (orders.in_flight, orders.delayed, orders.later, orders.dead) == (in_hand, 1, 1, 1)
    topic = next(topic for topic in orders.topics if topic.topic == "orders.placed")
    assert (topic.lag, topic.partitions) == (23, 2)
    others = [group for group in snapshot.groups if group.group != GROUP]
    assert sum(group.lag for group in others) == 30, "notifications hears every placed order too and did nothing yet"
    assert snapshot.total.lag == 53
    assert snapshot.total.dead == 1


@pytest.mark.django_db
def test_what_is_parked_behind_a_dead_letter_is_counted(broker: RedisStreamsBroker) -> None:
    broker.produce([placed("7") for _ in range(3)])
    [seen] = broker.leases(GROUP, ["orders.placed"])
    lease = broker.take_lease(GROUP, "ada", seen, 1)
    assert lease is not None
    head, *followers = broker.read_in_order(GROUP, "ada", [lease], 10, 0).deliveries
    broker.bury_in_order(GROUP, "ada", head, WHY, keep_blocked=True)
    broker.park(GROUP, "ada", followers)

    snapshot = take_sample()

    orders = group_of(snapshot, GROUP)
    assert (orders.parked, orders.dead, orders.lag, snapshot.total.parked) == (2, 1, 0, 2)


@pytest.mark.django_db
def test_the_oldest_waiting_entry_gives_the_lag_in_seconds(broker: RedisStreamsBroker, client: redis.Redis) -> None:
    broker.ensure_partition("orders.placed", "7")
    now_ms = client.time()[0] * 1000
    client.xadd("q:{orders.placed:7}:log", {"id": "old"}, id=f"{now_ms - 90_000}-1")

    snapshot = take_sample()

    assert 89_000 <= group_of(snapshot, GROUP).oldest_age_ms <= 95_000
    assert abs(snapshot.taken_at_ms - now_ms) < 5_000, "the sample's time is Redis's"


@pytest.mark.django_db
def test_consumers_are_alive_while_they_beat_and_silent_after_their_lease(
    broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.beat(GROUP, "ada")
    broker.beat(GROUP, "lin")
    a_minute_ago = client.time()[0] * 1000 - 60_000
    client.hset("q:seen:orders", "lin", str(a_minute_ago))

    orders = group_of(take_sample(), GROUP)

    assert {consumer.name: consumer.alive for consumer in orders.consumers} == {"ada": True, "lin": False}
    assert orders.alive == 1
    assert orders.consumers[0].name == "ada"
    assert 59_000 <= orders.consumers[1].last_beat_ms <= 65_000


@pytest.mark.django_db
def test_the_outbox_is_counted_and_its_oldest_row_has_an_age(broker: RedisStreamsBroker) -> None:
    assert take_sample().outbox == Outbox(waiting=0, oldest_age_ms=0, relay_beat_ms=None)
    ten_seconds_ago = int(datetime.now(UTC).timestamp() * 1000) - 10_000
    with transaction.atomic():
        for number in range(3):
            message = placed(str(number))
            OutboxMessage.objects.create(
                lane=0,
                message_id=message.id,
                topic=message.topic,
                key=message.key,
                name=message.name,
                body="{}",
                produced_at_ms=ten_seconds_ago + number,
            )
    health.relay_beat(broker)

    outbox = take_sample().outbox

    assert outbox is not None
    assert outbox.waiting == 3
    assert 9_900 <= outbox.oldest_age_ms <= 20_000
    assert outbox.relay_beat_ms is not None
    assert outbox.relay_beat_ms < 5_000


def at(ms: int, **counts: int) -> Snapshot:
    total = Counts(**counts)
    return Snapshot(taken_at_ms=ms, total=total, groups=[], outbox=None)


def test_a_rate_is_the_difference_of_two_totals_over_their_own_time() -> None:
    found = rates(at(10_000, appended=100, acked=40), at(12_500, appended=350, acked=90))[ALL]

    assert (found.produced, found.consumed, found.over_s) == (100.0, 20.0, 2.5)
    assert found.drain_s(260) == 13.0
    assert found.drain_s(0) == 0.0


def groups_at(ms: int, *groups: Group) -> Snapshot:
    return Snapshot(taken_at_ms=ms, total=Counts(), groups=list(groups), outbox=None)


def group(name: str, *, acked: int, lag: int, **more: Any) -> Group:
    consumer = Consumer(name="ada", last_beat_ms=0, alive=True)
    facts = {"topics": [], "consumers": [consumer], "appended": acked + lag}
    return Group(group=name, acked=acked, lag=lag, **{**facts, **more})


def test_the_queue_has_drained_when_its_slowest_group_has() -> None:
    before = groups_at(0, group("sms", acked=0, lag=6_500), group("ledger", acked=0, lag=9_000))
    now = groups_at(1000, group("sms", acked=500, lag=6_000), group("ledger", acked=9_000, lag=0))

    assert slowest(now, rates(before, now)) == ("sms", 12.0)
    assert slowest(groups_at(2000), {}) == ("", 0.0)


@pytest.mark.parametrize(
    ("still", "told"),
    [
        ({"paused": True}, ("sms", None)),
        ({"consumers": []}, ("sms", None)),
        ({"oldest_age_ms": 10_000}, ("sms", None)),
        ({"oldest_age_ms": 900}, ("ledger", 2.0)),  # in the middle of a batch
    ],
)
def test_a_group_that_stands_still_never_drains(still: dict[str, Any], told: tuple[str, float | None]) -> None:
    before = groups_at(0, group("sms", acked=5, lag=50, **still), group("ledger", acked=0, lag=30))
    now = groups_at(1000, group("sms", acked=5, lag=50, **still), group("ledger", acked=10, lag=20))

    assert slowest(now, rates(before, now)) == told


def test_nothing_consumed_never_drains() -> None:
    assert rates(at(0, appended=5), at(1000, appended=9))[ALL].drain_s(9) is None


def test_there_is_no_rate_across_a_redis_that_was_emptied() -> None:
    assert rates(at(0, appended=100, acked=100), at(2000, appended=3, acked=1)) == {}


def test_there_is_no_rate_between_a_sample_and_itself() -> None:
    assert rates(at(2000, appended=3), at(2000, appended=3)) == {}


class Hands:
    """A clock moved by hand and a Redis that can be away."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.taken = 0
        self.away = False

    def take(self) -> Snapshot:
        if self.away:
            raise redis.ConnectionError("connection refused")
        self.taken += 1
        return at(int(self.seconds * 1000), appended=self.taken * 10, acked=self.taken * 5)

    def reader(self) -> Reader:
        return Reader(take=self.take, clock=lambda: self.seconds, now=lambda: datetime.fromtimestamp(self.seconds, UTC))


def test_twenty_pages_cost_one_sample_a_second() -> None:
    hands = Hands()
    reader = hands.reader()

    for _ in range(10):
        for _ in range(20):
            reader.read()
        hands.seconds += 0.5

    assert hands.taken == 5


def test_a_reading_rates_over_at_least_two_of_its_own_samples() -> None:
    hands = Hands()
    reader = hands.reader()
    assert reader.read().rates == {}

    hands.seconds += 1
    assert reader.read().rates == {}, "a second is too short to be calm"
    hands.seconds += 1

    rate = reader.read().rates[ALL]
    assert (rate.produced, rate.over_s) == (10.0, 2.0)


def test_without_redis_it_says_since_when_it_does_not_know_and_then_knows_again() -> None:
    hands = Hands()
    reader = hands.reader()
    reader.read()
    hands.away = True
    hands.seconds += 5

    away = reader.read()
    hands.seconds += 60
    later = reader.read()
    hands.away = False
    hands.seconds += 2
    back = reader.read()

    assert away.unknown_since == later.unknown_since == datetime.fromtimestamp(100, UTC), "its last good sample"
    assert later.stale
    assert later.age_s == 65
    assert later.snapshot is not None, "what was known stays to be seen"
    assert later.rates == {}
    assert back.unknown_since is None
    assert not back.stale


def test_a_page_does_not_wait_for_another_pages_sample() -> None:
    hands = Hands()
    reader = hands.reader()
    reader.read()
    hands.seconds += 2
    asking, answer = threading.Event(), threading.Event()

    def slow() -> Snapshot:
        asking.set()
        assert answer.wait(10)
        return at(200_000)

    reader.take = slow
    first = threading.Thread(target=reader.read)
    first.start()
    assert asking.wait(10)

    second = reader.read()

    assert second.age_s == 2, "the sample of before, at once"
    answer.set()
    first.join(10)
    assert reader.read().snapshot == at(200_000)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("lag", 999, ("", "")),
        ("lag", 1_000, ("amber", "high")),
        ("lag", 10_000, ("red", "very high")),
        ("dead", 0, ("", "")),
        ("dead", 1, ("amber", "to look at")),
        ("beat_ms", 15_000, ("red", "silent")),
        ("in_flight", 1_000_000, ("", "")),
        ("drain_s", None, ("unknown", "")),
    ],
)
def test_a_level_is_told_in_a_word_too(name: str, value: float | None, said: tuple[str, str]) -> None:
    assert level(name, value) == said


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.42, "0.4 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (75, "1 min 15 s"), (7300, "2 h 1 min"),
     (200_000, "2 d 7 h"), (None, "—")],
)  # fmt: skip
def test_spans_are_written_as_people_read_them(seconds: float | None, text: str) -> None:
    assert words.span(seconds) == text


def test_rates_below_ten_keep_a_digit() -> None:
    assert [words.per_second(rate) for rate in (0, 0.5, 9.96, 12.4, 12_345.6)] == [
        "0/s",
        "0.5/s",
        "10.0/s",
        "12/s",
        "12,346/s",
    ]
