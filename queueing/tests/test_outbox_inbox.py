"""Effects once, told once: the two tables and the relay, on real PostgreSQL and Redis."""

from __future__ import annotations

import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import psycopg
import pytest
import redis
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from msgspec.structs import replace

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.db import one_transaction
from queueing.errors import NotInTransaction, RolledBack, StoreUnavailable, TopicFull
from queueing.event import Event
from queueing.inbox import inbox
from queueing.message import Delivery, Message, new_id
from queueing.models import InboxEntry, OutboxMessage
from queueing.outbox import CHANNEL, LANES, lane_of, publish
from queueing.relay import LOCK_CLASS, Relay
from queueing.topic import Topic

pytestmark = pytest.mark.django_db(transaction=True)


class LampLit(Event):
    wire = "tests.LampLit"
    topic = "lamps"
    key_field = "lamp"

    lamp: str


class DoorOpened(Event):
    wire = "tests.DoorOpened"
    topic = "doors"
    key_field = "door"

    door: str


E = TypeVar("E", bound=Event)


@pytest.fixture
def broker(client: redis.Redis, redis_url: str) -> Iterator[RedisStreamsBroker]:
    broker = RedisStreamsBroker({"lamps": Topic("lamps", partitions=2)}, url=redis_url)
    yield broker
    broker.redis.close()


@pytest.fixture
def relay(broker: RedisStreamsBroker) -> Iterator[Relay]:
    relay = Relay(broker)
    relay.own_lanes()
    yield relay
    relay.release_lanes()


def delivery(lamp: str = "hall", *, id_: str = "") -> Delivery:
    message = Message.of(LampLit(lamp=lamp))
    if id_:
        message = replace(message, id=id_)
    return Delivery(message, "0", "1-1")


def test_an_event_is_told_only_if_its_transaction_commits(broker: RedisStreamsBroker, relay: Relay) -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        publish(LampLit(lamp="cellar"))
        raise ZeroDivisionError
    with transaction.atomic():
        publish(LampLit(lamp="hall"), LampLit(lamp="attic"))

    assert relay.step() == 2

    told = broker.read("readers", "ada", ["lamps"], 10, 0)
    assert {d.message.event().lamp for d in told} == {"hall", "attic"}
    assert OutboxMessage.objects.count() == 0
    assert relay.step() == 0


def test_every_character_arrives_as_it_was_told(broker: RedisStreamsBroker, relay: Relay) -> None:
    """Rows go in by COPY, where tabs, line ends and backslashes have a meaning of their own."""
    names = ["tab\there", "line\nend", "back\\slash \\. \\N", 'quote " and \u2028', "", "lamp 💡"]

    with transaction.atomic():
        publish(*(LampLit(lamp=name) for name in names))
    relay.step()

    told = broker.read("electricity", "ada", ["lamps"], 100, 0)
    assert sorted(d.message.event().lamp for d in told) == sorted(names)
    assert sorted(d.message.key for d in told) == sorted(names)


def test_publishing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(NotInTransaction):
        publish(LampLit(lamp="hall"))


def test_publishing_wakes_a_listener_at_commit() -> None:
    settings = connection.get_connection_params()
    parameters = {k: settings[k] for k in ("dbname", "user", "host") if settings.get(k)}
    with psycopg.connect(**parameters, autocommit=True) as ear:
        ear.execute(f"LISTEN {CHANNEL}")
        with transaction.atomic():
            publish(LampLit(lamp="hall"))
            assert list(ear.notifies(timeout=0)) == []
        assert len(list(ear.notifies(timeout=5, stop_after=1))) == 1


def test_events_of_one_key_are_told_in_the_order_they_were_committed(broker: RedisStreamsBroker, relay: Relay) -> None:
    for n in range(30):
        with transaction.atomic():
            publish(LampLit(lamp="hall" if n % 2 else f"lamp-{n}"))
    written = [m.message_id for m in OutboxMessage.objects.filter(key="hall").order_by("id")]

    relay.step()

    told = [d.message for d in broker.read("readers", "ada", ["lamps"], 100, 0)]
    assert [m.id for m in told if m.key == "hall"] == [str(id_) for id_ in written]


def test_a_row_that_commits_late_is_not_skipped(broker: RedisStreamsBroker, relay: Relay) -> None:
    """A relay that deletes `id <= last` loses rows that drew their id early and committed late."""
    drawn, go_on = threading.Event(), threading.Event()

    def slow_writer() -> None:
        try:
            with transaction.atomic():
                publish(LampLit(lamp="slow"))
                drawn.set()
                go_on.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=slow_writer)
    thread.start()
    drawn.wait(10)
    with transaction.atomic():
        publish(LampLit(lamp="quick"))
    assert relay.step() == 1
    go_on.set()
    thread.join(10)

    assert relay.step() == 1
    assert {d.message.key for d in broker.read("readers", "ada", ["lamps"], 9, 0)} == {"slow", "quick"}


def test_two_relays_never_own_one_lane(broker: RedisStreamsBroker, relay: Relay) -> None:
    found: list[list[int]] = []

    def second() -> None:
        try:
            other = Relay(broker)
            other.own_lanes()
            found.append(other.own_lanes())
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    thread.join(10)

    assert relay.own_lanes() == list(range(LANES))
    assert found == [[]]


def test_a_dead_relays_lanes_are_free_at_once(broker: RedisStreamsBroker) -> None:
    settings = connection.get_connection_params()
    parameters = {k: settings[k] for k in ("dbname", "user", "host") if settings.get(k)}
    owner = psycopg.connect(**parameters, autocommit=True)
    owner.execute("SELECT pg_advisory_lock(%s, 3)", [LOCK_CLASS])
    relay = Relay(broker)
    assert 3 not in relay.own_lanes()

    owner.close()

    deadline = time.monotonic() + 10
    while 3 not in relay.own_lanes() and time.monotonic() < deadline:
        time.sleep(0.005)  # the server ends the session a moment after the client did
    assert 3 in relay.own_lanes()
    relay.release_lanes()


def test_a_full_topic_leaves_the_rows_where_they_are(client: redis.Redis, redis_url: str) -> None:
    tight = RedisStreamsBroker({"lamps": Topic("lamps", gate_group="readers", capacity=1)}, url=redis_url)
    relay = Relay(tight)
    relay.own_lanes()
    with transaction.atomic():
        publish(LampLit(lamp="porch"))
    assert relay.step() == 1
    with transaction.atomic():
        publish(LampLit(lamp="hall"), LampLit(lamp="attic"))

    assert relay.step() == 0

    assert OutboxMessage.objects.count() == 2
    with pytest.raises(TopicFull):
        tight.produce([Message.of(LampLit(lamp="x")), Message.of(LampLit(lamp="y"))])
    tight.redis.close()
    relay.release_lanes()


@pytest.mark.parametrize("full_first", [True, False])
def test_a_full_topic_holds_up_nobody_else_and_nothing_is_told_twice(
    full_first: bool, client: redis.Redis, redis_url: str
) -> None:
    topics = {"lamps": Topic("lamps", gate_group="readers", capacity=3), "doors": Topic("doors", partitions=2)}
    broker = RedisStreamsBroker(topics, url=redis_url)
    now = [0.0]
    relay = Relay(broker, clock=lambda: now[0])
    relay.own_lanes()
    lamps, doors = [LampLit(lamp=str(n)) for n in range(1_503)], [DoorOpened(door=str(n)) for n in range(40)]
    with transaction.atomic():
        publish(*(lamps if full_first else doors))
        publish(*(doors if full_first else lamps))

    for _ in range(5):
        relay.step()

    assert [told.door for told in _told(broker, "doors", DoorOpened)] == sorted(door.door for door in doors)
    assert [told.lamp for told in _told(broker, "lamps", LampLit)] == ["0", "1", "2"]
    assert OutboxMessage.objects.count() == 1_500
    # It is asked again when it said it might have room, and in vain.
    now[0] = 31.0
    relay.step()
    assert OutboxMessage.objects.count() == 1_500
    broker.redis.close()
    relay.release_lanes()


def test_what_a_full_topic_took_is_forgotten(client: redis.Redis, redis_url: str) -> None:
    topics = {"lamps": Topic("lamps", partitions=2, gate_group="readers", capacity=3)}
    broker = RedisStreamsBroker(topics, url=redis_url)
    now = [0.0]
    relay = Relay(broker, clock=lambda: now[0])
    relay.own_lanes()
    few, many = _of_partition("0", 3), _of_partition("1", 4)
    with transaction.atomic():
        publish(*(LampLit(lamp=lamp) for lamp in (*few, *many)))

    for _ in range(5):
        relay.step()
        now[0] += 31.0

    assert [told.lamp for told in _told(broker, "lamps", LampLit)] == sorted([*few, *many[:3]])
    assert [row.key for row in OutboxMessage.objects.all()] == many[3:]
    broker.redis.close()
    relay.release_lanes()


def test_rows_of_a_topic_that_nobody_declares_wait_and_hold_up_nobody(
    broker: RedisStreamsBroker, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        publish(DoorOpened(door="cellar"))
        publish(LampLit(lamp="hall"))

    assert relay.step() == 1

    assert [row.key for row in OutboxMessage.objects.all()] == ["cellar"]
    assert "1 outbox rows wait for topic 'doors', which nobody declares" in caplog.text


def _told(broker: RedisStreamsBroker, topic: str, event_class: type[E]) -> list[E]:
    found = broker.read("audience", "ada", [topic], 10_000, 0)
    events = [delivery.message.event() for delivery in found]
    return sorted((event for event in events if isinstance(event, event_class)), key=lambda event: event.key)


def _of_partition(partition: str, count: int) -> list[str]:
    lamps = (str(n) for n in range(1_000))
    return [lamp for lamp in lamps if str(zlib.crc32(lamp.encode()) % 2) == partition][:count]


def test_lanes_are_stable_and_all_used() -> None:
    lanes = {lane_of(f"order-{n}") for n in range(1000)}

    assert lanes == set(range(LANES))
    assert lane_of("order-7") == lane_of("order-7")


def run(handle_once: object, batch: Sequence[Delivery]) -> list[str]:
    passed: list[str] = []
    handle_once(batch, lambda new: passed.extend(d.message.id for d in new))  # type: ignore[operator]
    return passed


def test_the_inbox_passes_each_message_once_per_group() -> None:
    first, second = delivery(), delivery()

    assert run(inbox("cooks"), [first]) == [first.message.id]
    assert run(inbox("cooks"), [first, second]) == [second.message.id]
    assert run(inbox("waiters"), [first]) == [first.message.id]


def test_a_message_that_stands_twice_in_one_batch_is_passed_once() -> None:
    id_ = new_id()

    assert run(inbox("cooks"), [delivery(id_=id_), delivery(id_=id_)]) == [id_]


def test_an_id_that_is_two_ids_marks_neither() -> None:
    both = f"{new_id()},{new_id()}"
    seen: list[Delivery] = []

    with pytest.raises(ValueError, match="badly formed"):
        inbox("electricity")([delivery(id_=both)], seen.extend)

    assert not seen
    assert not InboxEntry.objects.exists()


@pytest.mark.parametrize("form", ["{hex}", "{{{text}}}", "{upper}", "urn:uuid:{text}"])
def test_an_id_in_another_form_is_handled_once(form: str) -> None:
    id_ = uuid.uuid4()
    odd = form.format(hex=id_.hex, text=id_, upper=str(id_).upper())

    assert run(inbox("cooks"), [delivery(id_=odd), delivery(id_=str(id_))]) == [odd]
    assert InboxEntry.objects.get().message_id == id_
    assert run(inbox("cooks"), [delivery(id_=odd)]) == []


@pytest.mark.parametrize("id_", ["{}", "hello", "NULL", 'a"b', "\x00"])
def test_an_id_that_is_none_is_a_failure_and_never_taken_for_handled(id_: str) -> None:
    with pytest.raises(ValueError, match="badly formed"):
        run(inbox("cooks"), [delivery(id_=id_)])


def test_the_inbox_row_goes_when_the_handler_fails() -> None:
    failing = delivery()

    def burn(new: Sequence[Delivery]) -> None:
        raise ValueError("burnt")

    with pytest.raises(ValueError, match="burnt"):
        inbox("cooks")([failing], burn)

    assert InboxEntry.objects.count() == 0
    assert run(inbox("cooks"), [failing]) == [failing.message.id]


def _catches_an_error_of_a_model() -> None:
    row = InboxEntry.objects.get()
    with suppress(IntegrityError):
        InboxEntry.objects.create(group=row.group, message_id=row.message_id)


def _catches_an_error_of_a_statement() -> None:
    with suppress(DataError), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def _rolls_back_itself() -> None:
    connection.connection.rollback()


@pytest.mark.parametrize(
    "spoil",
    [
        _catches_an_error_of_a_model,
        _catches_an_error_of_a_statement,
        _rolls_back_itself,
        connection.close,
        lambda: transaction.set_rollback(True),
    ],
)
def test_a_handler_that_returns_from_a_transaction_that_can_not_commit_has_failed(
    spoil: Callable[[], None],
) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK and no error: its messages would be acknowledged, and lost."""
    spoilt = delivery()

    with pytest.raises(RolledBack):
        inbox("cooks")([spoilt], lambda new: spoil())

    assert not InboxEntry.objects.exists()
    assert run(inbox("cooks"), [spoilt]) == [spoilt.message.id]


def test_an_error_caught_around_a_savepoint_is_no_failure() -> None:
    def careful(new: Sequence[Delivery]) -> None:
        with suppress(DataError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    inbox("cooks")([delivery()], careful)

    assert InboxEntry.objects.count() == 1


def test_a_session_that_ended_while_the_handler_caught_everything_means_the_database_is_away() -> None:
    def careless(new: Sequence[Delivery]) -> None:
        with suppress(Exception), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreUnavailable):
        inbox("cooks")([delivery()], careless)

    connection.close()
    assert not InboxEntry.objects.exists()


def test_two_consumers_with_one_message_have_one_effect() -> None:
    shared = [delivery(str(n)) for n in range(50)]
    effects: list[str] = []
    start = threading.Barrier(4)

    def consumer() -> None:
        try:
            start.wait(10)
            inbox("cooks")(shared[::-1], lambda new: effects.extend(d.message.id for d in new))
        finally:
            connection.close()

    threads = [threading.Thread(target=consumer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(effects) == sorted(d.message.id for d in shared)


def test_a_batch_costs_one_inbox_statement() -> None:
    batch = [delivery(str(n)) for n in range(200)]

    with CaptureQueriesContext(connection) as queries:
        run(inbox("cooks"), batch)

    assert len([q for q in queries if "queueing_inboxentry" in q["sql"]]) == 1


def test_a_connection_the_server_ended_means_the_database_is_away() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    settings = connection.get_connection_params()
    parameters = {k: settings[k] for k in ("dbname", "user", "host") if settings.get(k)}
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])

    with pytest.raises(StoreUnavailable), one_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert run(inbox("cooks"), [delivery()])  # the next try dials anew
