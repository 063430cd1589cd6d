"""Caps: exact, shared by a group's consumers, one for a topic where it needs one, changed while consumers run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from threading import Thread
from typing import Any

import pytest
import redis

from queueing.brokers.memory import MemoryBroker
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.event import Event
from queueing.message import Delivery, Message
from queueing.middleware import Step
from queueing.ordered import OrderedWorker
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.tests.test_memory import Clock
from queueing.tests.test_ordered_worker import Fences
from queueing.topic import Topic
from queueing.worker import Worker

TOPICS = {"door": Topic("door"), "kitchen": Topic("kitchen", partitions=2)}


class GuestCame(Event):
    wire = "capping.GuestCame"
    topic = "door"
    key_field = "guest"

    guest: str


class DishServed(Event):
    wire = "capping.DishServed"
    topic = "kitchen"
    key_field = "guest"

    guest: str


def nothing(events: Sequence[Event]) -> None:
    pass


HANDLERS: dict[Any, Any] = {GuestCame: nothing, DishServed: nothing}


def guests(count: int) -> list[Message]:
    return [Message.of(GuestCame(guest=str(n))) for n in range(count)]


def dishes(count: int) -> list[Message]:
    return [Message.of(DishServed(guest=str(n))) for n in range(count)]


class House:
    """Some consumers of one group, each with its own sleep, on one virtual clock. Notes when what was handled."""

    def __init__(self, subscription: Subscription, consumers: int = 1, *, turn_s: float = 0.0) -> None:
        """turn_s: how long a consumer takes for a batch, whatever is in it."""
        self.turn_s = turn_s
        self.clock = Clock()
        self.broker = MemoryBroker(TOPICS, clock=self.clock)
        self.handled: list[tuple[float, str]] = []
        self._now = [0.0] * consumers
        self._workers = [self._worker(subscription, number) for number in range(consumers)]

    def _worker(self, subscription: Subscription, number: int) -> Worker:
        def now() -> float:
            return max(self._now[number], self.clock.now)

        def sleep(seconds: float) -> None:
            self._now[number] = now() + seconds

        def note(batch: Sequence[Delivery], following: Step) -> None:
            self.handled += [(now(), delivery.message.topic) for delivery in batch]
            following(batch)
            sleep(self.turn_s)

        return Worker(subscription, self.broker, [note], clock=now, sleep=sleep)

    def work(self, until_s: float) -> None:
        while self.clock.now < until_s:
            number = min(range(len(self._now)), key=self._now.__getitem__)
            before = self._now[number] = max(self._now[number], self.clock.now)
            self.clock.now = before
            self._workers[number].step(0.05)
            if self._now[number] == before:
                self._now[number] += 0.001  # a turn takes a moment

    def between(self, start_s: float, end_s: float) -> Counter[str]:
        return Counter(topic for at, topic in self.handled if start_s <= at < end_s)


class OrderedHouse(House):
    def __init__(self, subscription: Subscription) -> None:
        self.order: list[tuple[str, int]] = []
        super().__init__(subscription)
        [plain] = self._workers
        fences = Fences()

        def note(batch: Sequence[Delivery], following: Step) -> None:
            self.order += [(f"{d.message.topic}/{d.partition}", int(d.offset)) for d in batch]
            following(batch)

        around = [note, *plain.middlewares, fences.transaction]
        ordered = OrderedWorker(
            subscription, self.broker, around, authority=fences, clock=plain.clock, sleep=plain.sleep
        )
        self._workers = [ordered]


@pytest.mark.parametrize("consumers", [1, 3])
def test_each_topic_drains_at_its_own_cap_whatever_the_other_holds(consumers: int) -> None:
    subscription = Subscription("orders", HANDLERS, rate={"door": 1000, "kitchen": 200})
    house = House(subscription, consumers)
    house.broker.produce(guests(15_000))
    house.broker.produce(dishes(4_000))

    house.work(until_s=11)

    ten_seconds = house.between(0, 10)
    assert ten_seconds["door"] == pytest.approx(10_000, rel=0.02)
    assert ten_seconds["kitchen"] == pytest.approx(2_000, rel=0.02)


@pytest.mark.parametrize(("consumers", "turn_s"), [(1, 0.3), (3, 0.3), (1, 0.08)])
def test_a_backlog_drains_at_its_cap_also_where_each_turn_takes_long(consumers: int, turn_s: float) -> None:
    house = House(Subscription("orders", HANDLERS, rate={"door": 1000}), consumers, turn_s=turn_s)
    house.broker.produce(guests(15_000))

    house.work(until_s=11)

    assert house.between(0, 10)["door"] == pytest.approx(10_000, rel=0.02)
    assert max(Counter(at for at, _ in house.handled).values()) <= 500


def test_a_turn_that_took_very_long_is_made_up_for_by_a_seconds_worth_and_no_more() -> None:
    house = House(Subscription("orders", HANDLERS, rate={"door": 1000}))
    house.broker.produce(guests(15_000))
    house.work(until_s=2)

    house.turn_s = 4.0
    house.work(until_s=2.1)
    house.turn_s = 0.0
    house.work(until_s=10)

    stood_still_until = min(at for at, _ in house.handled if at > 2.2)
    before = sum(at < stood_still_until for at, _ in house.handled)
    assert before == pytest.approx(2_100, abs=110)
    assert house.between(stood_still_until, stood_still_until + 2)["door"] == pytest.approx(3_000, abs=110)


def test_who_was_idle_starts_with_a_tenth_of_a_second_and_not_with_what_a_backlog_may_make_up() -> None:
    house = House(Subscription("orders", HANDLERS, rate={"door": 1000}))
    house.broker.produce(guests(100))  # all that a read brings: there might be more
    house.work(until_s=3)
    house.broker.produce(guests(5_000))
    house.work(until_s=5)

    assert 900 <= house.between(3, 4)["door"] <= 1_100


@pytest.mark.parametrize("consumers", [1, 3])
def test_a_plain_number_is_the_whole_groups(consumers: int) -> None:
    house = House(Subscription("orders", HANDLERS, rate=500), consumers)
    house.broker.produce(guests(8_000))
    house.broker.produce(dishes(8_000))

    house.work(until_s=11)

    assert house.between(0, 10).total() == pytest.approx(5_000, rel=0.02)


def test_a_topic_that_waits_for_its_cap_does_not_hold_up_the_other() -> None:
    """A thousand guests a second may come; one dish in two seconds is cooked, and ten are ordered."""
    house = House(Subscription("orders", HANDLERS, rate={"kitchen": 0.5}))
    house.broker.produce(dishes(10))
    house.work(until_s=1)

    for second in range(1, 9):
        house.broker.produce(guests(3))
        house.work(until_s=second + 1)

        assert house.between(second, second + 0.25)["door"] == 3, f"in second {second}"
    assert house.between(0, 9)["kitchen"] in (4, 5)


def test_a_retried_message_of_a_topic_that_waits_holds_up_nothing_either() -> None:
    burnt = Counter[str]()

    def cook(events: Sequence[DishServed]) -> None:
        burnt.update(event.guest for event in events)
        raise ValueError("burnt")

    policy = RetryPolicy(max_attempts=3, first_s=0.01)
    house = House(Subscription("orders", {GuestCame: nothing, DishServed: cook}, rate={"kitchen": 0.5}, retry=policy))
    house.broker.produce(dishes(3))
    house.work(until_s=5)
    house.broker.produce(guests(3))
    house.work(until_s=6)

    assert house.between(5, 5.25)["door"] == 3
    assert burnt.total() in (3, 4)


def test_what_an_operator_sets_holds_within_a_second_and_until_it_is_taken_back() -> None:
    house = House(Subscription("orders", HANDLERS, rate={"door": 100}))
    house.broker.produce(guests(3_000))
    house.work(until_s=2)

    house.broker.set_rate("orders", 500.0, topic="door")
    house.work(until_s=5)
    house.broker.forget_rate("orders", topic="door")
    house.work(until_s=8)
    house.broker.set_rate("orders", None, topic="door")
    house.work(until_s=9)

    assert house.between(0, 2)["door"] == pytest.approx(200, abs=20)
    assert house.between(3, 5)["door"] == pytest.approx(1_000, abs=50)
    assert house.between(6, 8)["door"] == pytest.approx(200, abs=20)
    assert len(house.handled) == 3_000, "no cap: all the rest at once"


@pytest.mark.parametrize("consumers", [1, 3])
def test_who_corrects_a_cap_that_was_far_too_low_need_not_wait_for_what_it_cost(consumers: int) -> None:
    house = House(Subscription("orders", HANDLERS), consumers)
    house.broker.set_rate("orders", 0.001, topic="door")
    house.broker.produce(guests(600))
    house.work(until_s=5)
    assert house.handled == []

    house.broker.set_rate("orders", 100.0, topic="door")
    house.work(until_s=10)

    assert house.between(5, 6)["door"] > 0
    assert house.between(7, 9)["door"] == pytest.approx(200, abs=20)


def test_on_redis_too_a_debt_shrinks_when_the_cap_rises_and_never_grows(client: redis.Redis, redis_url: str) -> None:
    broker = RedisStreamsBroker(TOPICS, url=redis_url)

    assert broker.charge("orders", 1, 0.001) == pytest.approx(999.9, abs=1)
    assert broker.charge("orders", 0, 0.0005) == pytest.approx(999.9, abs=1)
    assert broker.charge("orders", 0, 0.5) == pytest.approx(1, abs=0.01)
    assert broker.charge("orders", 0, 1_000) < 0.001
    broker.redis.close()


def test_a_cap_for_the_whole_group_leaves_a_topic_its_own() -> None:
    house = House(Subscription("orders", HANDLERS, rate={"door": 100}))
    house.broker.set_rate("orders", 10.0)
    house.broker.produce(guests(900))
    house.broker.produce(dishes(900))

    house.work(until_s=6)

    assert house.between(1, 6)["door"] == pytest.approx(500, abs=10)
    assert house.between(1, 6)["kitchen"] == pytest.approx(50, abs=2)


def test_a_consumer_that_leaves_finishes_what_waits_for_its_cap() -> None:
    house = House(Subscription("orders", HANDLERS, rate=5))
    house.broker.produce(guests(3))
    house.work(until_s=0.1)
    [worker] = house._workers

    worker.stop()
    worker.run()

    assert sum(row.in_flight for row in house.broker.stats({"orders": list(TOPICS)})) == 0


def test_in_ordered_mode_a_topic_that_waits_holds_up_nothing_either_and_keeps_its_order() -> None:
    house = OrderedHouse(Subscription("orders", HANDLERS, rate={"kitchen": 20}, mode="ordered"))
    house.broker.produce(dishes(60))
    house.work(until_s=1)
    house.broker.produce(guests(3))
    house.work(until_s=4)

    assert house.between(1, 1.3)["door"] == 3
    assert house.between(0.5, 2.5)["kitchen"] == pytest.approx(40, abs=3)
    of_partition: dict[str, list[int]] = {}
    for place, offset in house.order:
        of_partition.setdefault(place, []).append(offset)
    assert all(offsets == sorted(offsets) for offsets in of_partition.values())
    assert len(house.handled) == 63


@pytest.mark.parametrize(
    ("rate", "why"),
    [
        ({"roof": 5}, "a rate for 'roof', which it does not hear"),
        ({"door": 0}, "a rate of 0 messages a second"),
        (float("inf"), "a rate of inf messages a second"),
    ],
)
def test_a_cap_that_makes_no_sense_is_refused(rate: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Subscription("orders", HANDLERS, rate=rate)


def test_on_redis_two_consumers_share_a_cap_and_the_other_topic_is_free(client: redis.Redis, redis_url: str) -> None:
    """Real time, for a second and a half."""
    handled: list[tuple[float, str]] = []

    def note(batch: Sequence[Delivery], following: Step) -> None:
        handled.extend((time.monotonic(), delivery.message.topic) for delivery in batch)
        following(batch)

    subscription = Subscription("orders", HANDLERS, rate={"door": 400})
    workers = [Worker(subscription, RedisStreamsBroker(TOPICS, url=redis_url), [note]) for _ in range(2)]
    workers[0].broker.produce([*guests(2_000), *dishes(500)])
    threads = [Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not handled or time.monotonic() < handled[0][0] + 1.3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join(10)

    first = min(at for at, _ in handled)
    doors = sum(topic == "door" and at < first + 1.25 for at, topic in handled)
    # From the beginning, for a turn that took long is made up for.
    assert doors == pytest.approx(520, abs=60), "1.25 s worth and the first read, give or take a batch"
    assert sum(topic == "kitchen" and at < first + 0.5 for at, topic in handled) == 500


def test_on_redis_a_consumer_whose_turns_take_long_keeps_to_its_cap(client: redis.Redis, redis_url: str) -> None:
    """Real time, for a second and a half: turns of 0.2 s, and a tenth of a second's worth at a time would be half."""
    handled: list[float] = []

    def take_long(batch: Sequence[Delivery], following: Step) -> None:
        handled.extend([time.monotonic()] * len(batch))
        following(batch)
        time.sleep(0.2)

    worker = Worker(
        Subscription("orders", HANDLERS, rate={"door": 500}), RedisStreamsBroker(TOPICS, url=redis_url), [take_long]
    )
    worker.broker.produce(guests(1_500))
    worker.step(1.0)
    while time.monotonic() < handled[0] + 1.5:
        worker.step(0.1)

    after = sum(at >= handled[0] + 0.3 for at in handled)
    assert after == pytest.approx(500 * (handled[-1] - handled[0] - 0.3), rel=0.25), "at half the cap it would be 0.5"
    worker.broker.redis.close()


def test_an_idle_consumer_of_topics_with_different_caps_wakes_at_once() -> None:
    """It waits for all of them together: nobody polls."""
    house = House(Subscription("orders", HANDLERS, rate={"door": 50}))
    waits: list[tuple[list[str], float]] = []
    read = house.broker.read

    def watched(
        group: str, consumer: str, topics: Sequence[str], limit: int, wait_s: float, without: Collection[Any]
    ) -> list[Delivery]:
        waits.append((sorted(topics), wait_s))
        return read(group, consumer, topics, limit, wait_s, without)

    house.broker.read = watched  # type: ignore[method-assign]
    house._workers[0].step(1.0)

    assert waits[-1] == (["door", "kitchen"], pytest.approx(1.0, abs=0.01))
