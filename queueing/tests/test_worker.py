"""The work loop on the memory broker: what happens to messages that fail, come early, or outlive their consumer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

import pytest

from queueing.batches import calls_of
from queueing.brokers.envelope import to_json
from queueing.brokers.memory import MemoryBroker
from queueing.errors import BrokerUnavailable, NotYet, StoreUnavailable
from queueing.event import Event
from queueing.message import Delivery, Message, new_id
from queueing.middleware import Step
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.topic import Topic
from queueing.worker import Worker


class KettleSold(Event):
    wire = "tests.KettleSold"
    topic = "shelf"
    key_field = "kettle"

    kettle: str


class KettleBoiled(Event):
    wire = "tests.KettleBoiled"
    topic = "shelf"
    key_field = "kettle"

    kettle: str


class Killed(BaseException):
    """Nothing of this process runs after it."""


class Kitchen:
    """A handler with a memory and a temper."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.batches: list[int] = []
        self.refuses: dict[str, BaseException | type[BaseException]] = {}

    def __call__(self, events: Sequence[KettleSold]) -> None:
        for event in events:
            if event.kettle in self.refuses:
                raise self.refuses[event.kettle]
        self.batches.append(len(events))
        self.heard += [event.kettle for event in events]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> MemoryBroker:
    return MemoryBroker({"shelf": Topic("shelf")}, clock=clock, sleep=clock.advance)


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


@pytest.fixture
def new_worker(broker: MemoryBroker, clock: Clock, kitchen: Kitchen) -> Callable[[], Worker]:
    policy = RetryPolicy(max_attempts=3, first_s=1, factor=2)
    subscription = Subscription("cooks", {KettleSold: kitchen}, retry=policy, lease_s=10)
    return lambda: Worker(subscription, broker, clock=clock, sleep=clock.advance)


def sell(broker: MemoryBroker, *kettles: str) -> None:
    broker.produce([Message.of(KettleSold(kettle=kettle)) for kettle in kettles])


def work(worker: Worker, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        worker.step(0.5)


def tally(broker: MemoryBroker) -> dict[str, int]:
    [row] = broker.stats({"cooks": ["shelf"]})
    return {name: getattr(row, name) for name in ("done", "in_flight", "delayed", "dead", "lag")}


def test_a_batch_is_handled_in_one_call_and_acknowledged(broker, clock, kitchen, new_worker) -> None:
    sell(broker, "ann", "bob", "cem")

    new_worker().step(0)

    assert kitchen.batches == [3]
    assert tally(broker) == {"done": 3, "in_flight": 0, "delayed": 0, "dead": 0, "lag": 0}


def test_a_failed_batch_is_halved_until_the_failing_message_stands_alone(broker, clock, kitchen, new_worker) -> None:
    kettles = [f"kettle-{n}" for n in range(64)]
    kitchen.refuses["kettle-40"] = ValueError("cracked")
    sell(broker, *kettles)

    new_worker().step(0)

    assert sorted(kitchen.heard) == sorted(set(kettles) - {"kettle-40"})
    assert tally(broker)["delayed"] == 1


def test_a_message_that_keeps_failing_is_buried_with_its_reason(broker, clock, kitchen, new_worker) -> None:
    kitchen.refuses["cracked"] = ValueError("it leaks")
    sell(broker, "cracked", "fine")

    work(new_worker(), clock, 60)

    assert kitchen.heard == ["fine"]
    assert tally(broker) == {"done": 1, "in_flight": 0, "delayed": 0, "dead": 1, "lag": 0}
    [buried] = broker.dead_letters("cooks", "shelf", "0")
    assert buried.letter.attempts == 3
    assert buried.letter.reason == "ValueError: it leaks"
    assert "Traceback" in buried.letter.traceback


def test_a_message_that_fails_after_each_replay_is_quarantined(broker, clock, kitchen, new_worker) -> None:
    kitchen.refuses["cracked"] = ValueError("it leaks")
    sell(broker, "cracked")
    worker = new_worker()
    seen = []
    for _ in range(5):
        work(worker, clock, 60)
        [buried] = broker.dead_letters("cooks", "shelf", "0")
        seen.append((buried.letter.replays, buried.letter.attempts, buried.letter.quarantined))
        assert broker.replay([buried]) == 1

    assert seen == [(0, 3, False), (1, 3, False), (2, 3, False), (3, 3, True), (4, 3, True)]


def test_a_replayed_letter_that_was_mended_is_handled(broker, clock, kitchen, new_worker) -> None:
    kitchen.refuses["cracked"] = ValueError("it leaks")
    sell(broker, "cracked")
    worker = new_worker()
    work(worker, clock, 60)

    kitchen.refuses.clear()
    assert broker.replay(broker.dead_letters("cooks", "shelf", "0")) == 1
    work(worker, clock, 2)

    assert kitchen.heard == ["cracked"]


def test_an_early_event_waits_without_an_attempt_and_does_not_hold_up_the_rest(
    broker, clock, kitchen, new_worker
) -> None:
    worker = new_worker()

    def wait_for_bob(events: Sequence[KettleSold]) -> None:
        early = [e for e in events if e.kettle == "ann"] if "bob" not in kitchen.heard else []
        if early:
            raise NotYet(early)
        kitchen(events)

    worker.subscription.handlers[KettleSold] = wait_for_bob  # type: ignore[index]
    sell(broker, "ann", "bob")
    work(worker, clock, 30)

    assert kitchen.heard == ["bob", "ann"]
    assert tally(broker)["done"] == 2


def test_what_a_silent_consumer_held_is_taken_over_after_its_lease(broker, clock, kitchen, new_worker) -> None:
    sell(broker, "ann", "bob")
    frozen, healthy = new_worker(), new_worker()
    broker.beat("cooks", frozen.consumer)
    held = broker.read("cooks", frozen.consumer, ["shelf"], 10, 0)

    work(healthy, clock, 9)
    assert kitchen.heard == []
    work(healthy, clock, 8)

    assert kitchen.heard == ["ann", "bob"]
    assert kitchen.batches == [1, 1]
    assert broker.ack("cooks", frozen.consumer, held) == 0


def test_a_beating_consumer_keeps_what_it_holds(broker, clock, kitchen, new_worker) -> None:
    sell(broker, "ann")
    slow, healthy = new_worker(), new_worker()
    held = broker.read("cooks", slow.consumer, ["shelf"], 10, 0)

    for _ in range(40):
        broker.beat("cooks", slow.consumer)
        work(healthy, clock, 1)

    assert kitchen.heard == []
    assert broker.ack("cooks", slow.consumer, held) == 1


def test_a_message_that_kills_its_process_is_buried_and_its_neighbours_are_not(
    broker, clock, kitchen, new_worker
) -> None:
    kitchen.refuses["bomb"] = Killed
    sell(broker, "ann", "bomb", "cem")

    for _ in range(6):
        try:
            work(new_worker(), clock, 30)
        except Killed:
            continue

    assert sorted(kitchen.heard) == ["ann", "cem"]
    assert tally(broker) == {"done": 2, "in_flight": 0, "delayed": 0, "dead": 1, "lag": 0}
    [buried] = broker.dead_letters("cooks", "shelf", "0")
    assert buried.letter.reason.startswith("its process ended while handling it, 3 times: past the deadline of 6 s")


def test_with_a_single_attempt_too_the_neighbours_of_a_killer_are_handled(broker, clock, kitchen) -> None:
    kitchen.refuses["bomb"] = Killed
    subscription = Subscription("cooks", {KettleSold: kitchen}, retry=RetryPolicy(max_attempts=1), lease_s=10)
    sell(broker, "ann", "bomb", "cem")

    for _ in range(4):
        with suppress(Killed):
            work(Worker(subscription, broker, clock=clock, sleep=clock.advance), clock, 30)

    assert sorted(kitchen.heard) == ["ann", "cem"]
    assert tally(broker) == {"done": 2, "in_flight": 0, "delayed": 0, "dead": 1, "lag": 0}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("a bug in an error")


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (asyncio.CancelledError(), "HandlerExited: the handler raised CancelledError"),
        (GeneratorExit(), "HandlerExited: the handler raised GeneratorExit"),
        (Unspeakable(), "Unspeakable: its text can't be read (RuntimeError)"),
        (FileNotFoundError("caf\udce9.txt"), "FileNotFoundError: caf\\udce9.txt"),
    ],
)
def test_whatever_a_handler_raises_is_written_down_and_ends_no_consumer(
    broker, clock, kitchen, new_worker, raised: BaseException, reason: str
) -> None:
    kitchen.refuses["strange"] = raised
    for name in ("strange", "bob"):
        sell(broker, name)
    worker = new_worker()

    for _ in range(200):
        worker.step(0)
        clock.advance(1)

    assert kitchen.heard == ["bob"]
    [buried] = broker.dead_letters("cooks", "shelf", "0")
    assert buried.letter.reason == reason
    assert to_json(buried.letter)


def test_a_handler_that_calls_sys_exit_fails_like_any_other(broker, clock, kitchen, new_worker) -> None:
    kitchen.refuses["quitter"] = SystemExit(3)
    sell(broker, "ann", "quitter", "cem")

    work(new_worker(), clock, 60)

    assert sorted(kitchen.heard) == ["ann", "cem"]
    [buried] = broker.dead_letters("cooks", "shelf", "0")
    assert buried.letter.reason == "HandlerExited: the handler called sys.exit(3)"
    assert "SystemExit: 3" in buried.letter.traceback


def test_a_batch_that_falls_to_pieces_keeps_its_lease(broker, clock, kitchen, new_worker) -> None:
    """Each piece takes most of a lease; without a beat between them an observer would take the rest over."""
    observer = new_worker()
    sell(broker, "ann", "bob", "cracked", "dan")

    def slow(batch: Sequence[Delivery], following: Step) -> None:
        clock.advance(6)
        assert observer._watch.observe(broker.beats("cooks")) == []
        following(batch)

    worker = new_worker()
    worker.middlewares = [slow]
    worker._new_name()
    kitchen.refuses["cracked"] = ValueError("it leaks")
    worker.step(0)

    assert sorted(kitchen.heard) == ["ann", "bob", "dan"]


@pytest.mark.parametrize("deadline_s", [0, -1, 6.6])
def test_a_deadline_that_does_not_end_before_the_lease_is_refused(deadline_s: float) -> None:
    with pytest.raises(ValueError, match="is not within 65% of its lease of 10 s"):
        Subscription("cooks", {}, lease_s=10, deadline_s=deadline_s)


def test_while_the_database_is_away_the_batch_waits_and_no_attempt_counts(broker, clock, kitchen, new_worker) -> None:
    sell(broker, "ann")
    worker = new_worker()
    kitchen.refuses["ann"] = StoreUnavailable("restarting")

    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            worker.step(0)
    assert tally(broker)["in_flight"] == 1
    kitchen.refuses.clear()
    worker.step(0)

    assert kitchen.heard == ["ann"]


def test_after_losing_the_broker_a_worker_leaves_its_old_name_behind(clock, kitchen) -> None:
    class Flaky(MemoryBroker):
        """Delivers the batch and loses the reply, once."""

        lost = False

        def read(self, *args: object, **kwargs: object) -> list[Delivery]:
            found = super().read(*args, **kwargs)  # type: ignore[arg-type]
            if found and not self.lost:
                self.lost = True
                raise BrokerUnavailable("the reply was lost")
            return found

    broker = Flaky({"shelf": Topic("shelf")}, clock=clock, sleep=clock.advance)
    sell(broker, "ann")
    worker = Worker(
        Subscription("cooks", {KettleSold: kitchen}, lease_s=10),
        broker,
        clock=clock,
        sleep=lambda seconds: (clock.advance(seconds), clock.now > 60 and worker.stop()),  # type: ignore[arg-type]
    )
    broker.sleep = worker.sleep
    before = worker.consumer

    worker.run()

    assert worker.consumer != before
    assert kitchen.heard == ["ann"]
    assert tally(broker)["done"] == 1


def test_events_nobody_here_subscribes_to_are_acknowledged_unread(broker, clock, kitchen, new_worker) -> None:
    broker.produce([Message.of(KettleBoiled(kettle="ann"))])

    new_worker().step(0)

    assert kitchen.heard == []
    assert tally(broker)["done"] == 1


@pytest.mark.parametrize(
    ("name", "version", "body", "reason"),
    [
        ("tests.KettleSold", 1, b"not json", "MalformedMessage"),
        ("tests.KettleSold", 1, b'{"kettle": 7}', "MalformedMessage"),
        ("tests.KettleSold", 1, b"{}", "MalformedMessage"),
        ("tests.KettleSold", 1, b'{"kettle": "caf\xe9"}', "MalformedMessage"),  # Latin-1
        ("tests.KettleSold", 1, b'{"kettle": "k", "x": ' + b"[" * 100_000, "MalformedMessage"),
        ("tests.KettleSold", 2, b'{"kettle": "ann"}', "UnknownEvent"),
        ("unreadable entry", 0, b"", "UnknownEvent"),
        ("tests.KettleSold", 1, b'{"kettle": "' + b"a" * 5_000_000, "MalformedMessage"),
    ],
)
def test_what_cannot_be_read_is_buried_at_once_and_its_siblings_are_handled(
    broker, clock, kitchen, new_worker, name: str, version: int, body: bytes, reason: str
) -> None:
    broker.produce([Message(new_id(), "shelf", "ann", name, version, body, 0)])
    sell(broker, "bob")

    new_worker().step(0)

    assert kitchen.heard == ["bob"]
    [buried] = broker.dead_letters("cooks", "shelf", "0")
    assert buried.letter.reason.startswith(reason)


def test_entries_that_trickle_in_are_collected_ten_reads_a_second(broker, clock, kitchen, new_worker) -> None:
    worker = new_worker()
    end = clock.now + 2
    while clock.now < end:
        sell(broker, "drop")
        worker.step(0)
        clock.advance(0.001)

    assert len(kitchen.batches) <= 21


def test_a_worker_that_is_asked_to_stop_finishes_what_it_read_and_leaves_nothing_behind(clock, kitchen) -> None:
    broker = MemoryBroker({"shelf": Topic("shelf", partitions=4)}, clock=clock, sleep=clock.advance)
    sell(broker, *[f"kettle-{n}" for n in range(40)])
    worker = Worker(
        Subscription("cooks", {KettleSold: kitchen}, batch_size=6), broker, clock=clock, sleep=clock.advance
    )
    worker.step(0)
    assert max(kitchen.batches) <= 6

    worker.stop()
    worker.run()

    assert broker.beats("cooks") == {}
    assert sum(row.in_flight for row in broker.stats({"cooks": ["shelf"]})) == 0
    assert sum(row.done for row in broker.stats({"cooks": ["shelf"]})) == len(kitchen.heard)


@pytest.mark.parametrize("consumers", [1, 3])
def test_a_capped_group_handles_its_rate_and_not_more(broker, clock, kitchen, consumers: int) -> None:
    subscription = Subscription("cooks", {KettleSold: kitchen}, rate=100)
    now = [0.0] * consumers  # each consumer waits on its own
    handled_at: list[float] = []

    def worker(number: int) -> Worker:
        def sleep(seconds: float) -> None:
            now[number] = max(now[number], clock.now) + seconds

        def stamp(batch: Sequence[Delivery], following: Step) -> None:
            handled_at.extend([max(now[number], clock.now)] * len(batch))

        return Worker(
            subscription, broker, [stamp], clock=lambda: max(now[number], clock.now), sleep=sleep, collect_s=0
        )

    workers = [worker(number) for number in range(consumers)]
    sell(broker, *[f"kettle-{n}" for n in range(5000)])
    while clock.now < 12:
        ready = min(range(consumers), key=lambda n: now[n])
        clock.now = max(clock.now, now[ready])
        workers[ready].step(0)

    assert sum(at <= 10 for at in handled_at) == pytest.approx(1000, rel=0.02)


def test_what_a_group_does_not_subscribe_to_is_free(broker, clock, kitchen) -> None:
    broker.produce([Message.of(KettleBoiled(kettle=str(n))) for n in range(50)])
    subscription = Subscription("cooks", {KettleSold: kitchen}, rate=10)
    worker = Worker(subscription, broker, clock=clock, sleep=clock.advance, collect_s=0)
    while worker.step(0):
        pass

    assert clock.now == 0


def test_a_paused_consumer_beats_and_reads_nothing(broker, clock, kitchen) -> None:
    subscription = Subscription("cooks", {KettleSold: kitchen})
    worker = Worker(subscription, broker, clock=clock, sleep=clock.advance, collect_s=0)
    sell(broker, "ann")
    worker.step(0)
    before = broker.beats("cooks")[worker.consumer]
    broker.pause("cooks")
    clock.advance(1)
    sell(broker, "bob")

    work(worker, clock, 60)

    assert kitchen.heard == ["ann"]
    assert broker.beats("cooks")[worker.consumer] != before
    assert tally(broker)["lag"] == 1
    broker.resume("cooks")
    work(worker, clock, 1)
    assert kitchen.heard == ["ann", "bob"]


def test_what_was_read_before_a_pause_is_finished_in_it(broker, clock, kitchen) -> None:
    sell(broker, *[f"kettle-{n}" for n in range(6)])
    subscription = Subscription("cooks", {KettleSold: kitchen}, batch_size=2)
    worker = Worker(subscription, broker, clock=clock, sleep=clock.advance, collect_s=0)
    worker._fresh = broker.read("cooks", worker.consumer, ["shelf"], 4, 0)  # two batches of it
    broker.pause("cooks")

    work(worker, clock, 5)

    assert kitchen.batches == [2, 2]
    assert tally(broker) == {"done": 4, "in_flight": 0, "delayed": 0, "dead": 0, "lag": 2}


def test_a_retry_that_is_due_waits_for_the_end_of_a_pause(broker, clock, kitchen, new_worker) -> None:
    worker = new_worker()
    kitchen.refuses["ann"] = ValueError("cracked")
    sell(broker, "ann")
    worker.step(0)
    broker.pause("cooks")
    kitchen.refuses.clear()

    work(worker, clock, 30)
    assert tally(broker)["delayed"] == 1
    broker.resume("cooks")
    work(worker, clock, 2)

    assert kitchen.heard == ["ann"]


def test_a_paused_group_takes_nothing_over(broker, clock, kitchen, new_worker) -> None:
    sell(broker, "ann")
    broker.beat("cooks", "zombie")
    broker.read("cooks", "zombie", ["shelf"], 1, 0)
    broker.pause("cooks")
    worker = new_worker()

    work(worker, clock, 60)
    assert kitchen.heard == []
    broker.resume("cooks")
    work(worker, clock, 60)

    assert kitchen.heard == ["ann"]


def test_a_group_that_starts_now_passes_over_what_was_there(broker, clock, kitchen) -> None:
    sell(broker, "ann")
    clock.advance(1)
    subscription = Subscription("cooks", {KettleSold: kitchen}, start="now")
    worker = Worker(subscription, broker, clock=clock, sleep=clock.advance, collect_s=0)
    worker.step(0)
    sell(broker, "bob")
    worker.step(0)

    assert kitchen.heard == ["bob"]
    assert tally(broker)["lag"] == 0


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Subscription("cooks", {}, start=datetime(2026, 1, 1))  # noqa: DTZ001


def test_one_transaction_wraps_the_whole_batch(broker, clock, kitchen, new_worker) -> None:
    opened: list[int] = []

    def transaction(batch: Sequence[Delivery], following: Step) -> None:
        opened.append(len(batch))
        following(batch)

    worker = new_worker()
    wrapped = Worker(worker.subscription, broker, [transaction], clock=clock, sleep=clock.advance)
    sell(broker, "ann", "bob")
    wrapped.step(0)

    assert opened == [2]


def test_calls_keep_the_order_of_each_key() -> None:
    rng = random.Random(7)
    for _ in range(200):
        events = [rng.choice([KettleSold, KettleBoiled])(kettle=rng.choice("abcd")) for _ in range(rng.randrange(30))]

        calls = calls_of(events)

        told = [event for call in calls for event in call.events]
        for key in "abcd":
            assert [id(e) for e in told if e.kettle == key] == [id(e) for e in events if e.kettle == key]
        assert all({type(e) for e in call.events} == {call.event_class} for call in calls)


def test_events_of_different_keys_share_one_call() -> None:
    events = [cls(kettle=str(n)) for n in range(50) for cls in (KettleSold, KettleBoiled)]

    assert [len(call.events) for call in calls_of(events)] == [50, 50]
