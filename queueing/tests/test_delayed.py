"""Delayed messages from `publish` to the handler: in the outbox, in the partition, due, or taken back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.db import connection, transaction

from queueing.brokers.memory import MemoryBroker
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.event import Event
from queueing.message import Message
from queueing.models import OutboxMessage
from queueing.outbox import cancel, publish
from queueing.relay import Relay
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.topic import Topic
from queueing.worker import Worker


class EggTimerRang(Event):
    wire = "tests.EggTimerRang"
    topic = "kitchen"
    key_field = "egg"

    egg: str


TOPICS = {"kitchen": Topic("kitchen", partitions=2)}


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)
    yield broker
    broker.redis.close()


@pytest.fixture
def relay(broker: RedisStreamsBroker) -> Iterator[Relay]:
    relay = Relay(broker)
    relay.own_lanes()
    yield relay
    relay.release_lanes()


def ring(egg: str = "ann", **when: object) -> str:
    with transaction.atomic():
        [message_id] = publish(EggTimerRang(egg=egg), **when)  # type: ignore[arg-type]
    return message_id


def later(broker: RedisStreamsBroker) -> int:
    return sum(row.later for row in broker.stats({"cooks": ["kitchen"]}))


def heard(broker: RedisStreamsBroker) -> list[str]:
    broker.promote(["kitchen"])
    return [d.message.id for d in broker.read("cooks", "ada", ["kitchen"], 100, 0)]


@pytest.mark.django_db(transaction=True)
class TestPublishing:
    @pytest.mark.parametrize(
        "when",
        [
            lambda: {"delay": 60},
            lambda: {"delay": timedelta(minutes=1)},
            lambda: {"deliver_at": datetime.now(UTC) + timedelta(seconds=60)},
        ],
        ids=["seconds", "timedelta", "moment"],
    )
    def test_a_delayed_event_waits_in_its_partition(
        self, broker: RedisStreamsBroker, relay: Relay, when: Callable[[], dict[str, object]]
    ) -> None:
        message_id = ring(**when())
        due_ms = OutboxMessage.objects.get(message_id=message_id).deliver_at_ms
        assert due_ms / 1000 == pytest.approx(time.time() + 60, abs=30)

        assert relay.step() == 1

        assert (later(broker), heard(broker)) == (1, [])

    def test_it_is_told_when_it_is_due(self, broker: RedisStreamsBroker, relay: Relay) -> None:
        soon = ring("soon", delay=0.05)
        ring("late", delay=60)
        relay.step()

        told: list[str] = []
        deadline = time.monotonic() + 5
        while not told and time.monotonic() < deadline:
            told = heard(broker)

        assert told == [soon]

    def test_two_ways_to_say_when_are_one_too_many(self) -> None:
        with transaction.atomic():
            with pytest.raises(ValueError, match="give one"):
                publish(EggTimerRang(egg="ann"), delay=1, deliver_at=datetime.now(UTC))
            with pytest.raises(ValueError, match="no time zone"):
                publish(EggTimerRang(egg="ann"), deliver_at=datetime(2026, 1, 1))  # noqa: DTZ001
            with pytest.raises(ValueError, match="negative"):
                publish(EggTimerRang(egg="ann"), delay=-1)


@pytest.mark.django_db(transaction=True)
class TestCancelling:
    def test_from_the_outbox(self, broker: RedisStreamsBroker, relay: Relay) -> None:
        message_id = ring(delay=60)

        assert cancel(message_id, broker=broker)

        assert (relay.step(), later(broker)) == (0, 0)
        assert not cancel(message_id, broker=broker)

    def test_from_the_partition(self, broker: RedisStreamsBroker, relay: Relay) -> None:
        message_id = ring(delay=60)
        relay.step()

        assert cancel(message_id, broker=broker)

        assert later(broker) == 0
        assert not cancel(message_id, broker=broker)

    def test_what_was_delivered_is_not_cancelled(self, broker: RedisStreamsBroker, relay: Relay) -> None:
        message_id = ring(deliver_at=datetime.now(UTC))
        relay.step()
        assert heard(broker) == [message_id]

        assert not cancel(message_id, broker=broker)

    def test_what_tells_at_once_is_not_cancelled(self, broker: RedisStreamsBroker, relay: Relay) -> None:
        message_id = ring()

        assert not cancel(message_id, broker=broker)
        assert relay.step() == 1

    def test_a_message_that_is_being_told_is_waited_for_and_then_cancelled(
        self, broker: RedisStreamsBroker, relay: Relay, redis_url: str
    ) -> None:
        """A relay that read its rows before the cancel and told them after it would deliver what was taken back."""
        message_id = ring(delay=60)
        answers: list[bool] = []
        produce = broker.produce

        def ask() -> None:
            try:
                other = RedisStreamsBroker(TOPICS, url=redis_url)
                answers.append(cancel(message_id, broker=other))
                other.redis.close()
            finally:
                connection.close()

        thread = threading.Thread(target=ask)

        def slowly(messages: Sequence[Message]) -> None:
            thread.start()
            _until(_somebody_waits_for_us)
            produce(messages)

        broker.produce = slowly  # type: ignore[method-assign]
        relay.step()
        thread.join(10)

        assert answers == [True]
        assert later(broker) == 0

    def test_a_copy_that_a_dead_relay_told_is_cancelled_with_its_row(
        self, broker: RedisStreamsBroker, relay: Relay
    ) -> None:
        message_id = ring(delay=60)
        with suppress(ZeroDivisionError), transaction.atomic():
            relay.step()
            raise ZeroDivisionError  # the relay dies after telling, so its row is there again
        assert (OutboxMessage.objects.count(), later(broker)) == (1, 1)

        assert cancel(message_id, broker=broker)

        assert (OutboxMessage.objects.count(), later(broker)) == (0, 0)

    def test_inside_a_transaction_it_is_refused(self, broker: RedisStreamsBroker) -> None:
        """It could not be undone when that rolls back."""
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            cancel("01890f3e-7c1a-7d33-9a3b-6f2f1c9d8e70", broker=broker)


class TestTheWorkLoop:
    """On the virtual clock."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    def test_a_message_is_handled_when_it_is_due_whatever_the_read_waits(self, clock: Clock) -> None:
        broker = MemoryBroker(TOPICS, clock=clock, sleep=clock.advance)
        handled: list[tuple[str, float]] = []
        worker = _worker(broker, clock, handled)
        for n, due_s in enumerate((3.3, 7.05, 7.06, 20.0)):
            broker.produce([Message.of(EggTimerRang(egg=f"egg-{n}"), deliver_at_ms=int(due_s * 1000))])

        while clock.now < 30:
            worker.step(1.0)

        assert [egg for egg, _ in handled] == ["egg-0", "egg-1", "egg-2", "egg-3"]
        for (_, at), due_s in zip(handled, (3.3, 7.05, 7.06, 20.0), strict=True):
            assert due_s <= at < due_s + 0.3

    def test_one_that_is_scheduled_while_a_consumer_idles_is_at_most_one_read_late(self, clock: Clock) -> None:
        handled: list[tuple[str, float]] = []

        def wait(seconds: float) -> None:
            if clock.now == 0:  # the consumer is inside its first, long read
                broker.produce([Message.of(EggTimerRang(egg="ann"), deliver_at_ms=100)])
            clock.advance(seconds)

        broker = MemoryBroker(TOPICS, clock=clock, sleep=wait)
        worker = _worker(broker, clock, handled)
        while clock.now < 5:
            worker.step(1.0)

        [(_, at)] = handled
        assert 0.1 <= at <= 1.1


def _worker(broker: MemoryBroker, clock: Clock, handled: list[tuple[str, float]]) -> Worker:
    def handle(events: Sequence[EggTimerRang]) -> None:
        handled.extend((event.egg, clock.now) for event in events)

    return Worker(Subscription("cooks", {EggTimerRang: handle}), broker, clock=clock, sleep=clock.advance, collect_s=0)


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
