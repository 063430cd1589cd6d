"""A backlog does not hold up what is new: inside a group, between groups, and from the retry set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from queueing.broker import BEGINNING
from queueing.brokers.memory import MemoryBroker
from queueing.lanes import LIVE_IN_A_ROW, MOST_BYTES, OLD_S, SHARE
from queueing.message import Message, new_id
from queueing.ordered import OrderedWorker
from queueing.retry import RetryPolicy
from queueing.subscription import Subscription
from queueing.tests.conformance import WHY
from queueing.tests.test_memory import Clock
from queueing.tests.test_ordered_worker import Fences
from queueing.tests.test_worker import KettleSold
from queueing.topic import Topic
from queueing.worker import ALONE_IN_A_ROW, Worker

BATCH = 10
PARTITIONS = 8
COOKING_S = 0.1  # a batch


class Kitchen:
    """Cooks batch by batch, each in the same time, and knows when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.cooking_s = COOKING_S
        self.batches: list[list[str]] = []
        self.heard_at: dict[str, float] = {}

    def __call__(self, events: Sequence[KettleSold]) -> None:
        self.clock.advance(self.cooking_s)
        self.batches.append([event.kettle for event in events])
        for event in events:
            self.heard_at.setdefault(event.kettle, self.clock.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kitchen(clock: Clock) -> Kitchen:
    return Kitchen(clock)


@pytest.fixture
def broker(clock: Clock) -> MemoryBroker:
    topics = {"shelf": Topic("shelf", dynamic=True, gate_group="sellers")}
    return MemoryBroker(topics, clock=clock, sleep=clock.advance)


@pytest.fixture
def hire(broker: MemoryBroker, clock: Clock, kitchen: Kitchen) -> Callable[..., Worker]:
    def hire(group: str = "cooks", *, collect_s: float = 0.0, **options: object) -> Worker:
        wanted = Subscription(group, {KettleSold: kitchen}, batch_size=BATCH, **options)  # type: ignore[arg-type]
        about = {"clock": clock, "sleep": clock.advance, "collect_s": collect_s}
        if wanted.mode == "ordered":
            fences = Fences()
            return OrderedWorker(wanted, broker, [fences.transaction], authority=fences, **about)
        return Worker(wanted, broker, **about)  # type: ignore[arg-type]

    return hire


def sell(broker: MemoryBroker, partition: str, *kettles: str, pad: int = 0) -> None:
    def body(kettle: str) -> bytes:
        return KettleSold(kettle=kettle).encode() + b" " * pad

    broker.produce([Message(new_id(), "shelf", partition, KettleSold.wire, 1, body(k), 0) for k in kettles])


def pile_up(broker: MemoryBroker, messages: int, *, partitions: int = PARTITIONS) -> None:
    for number in range(partitions):
        sell(broker, f"sale-{number}", *(f"old-{number}-{n}" for n in range(messages // partitions)))


def turns_until(worker: Worker, kitchen: Kitchen, kettle: str, *, most: int) -> int:
    for turn in range(1, most + 1):
        worker.step(0.1)
        if kettle in kitchen.heard_at:
            return turn
    raise AssertionError(f"{kettle} was not heard in {most} turns")


# Inside a group


@pytest.mark.parametrize("mode", ["competing", "ordered"])
@pytest.mark.parametrize("backlog", [800, 8_000])
def test_a_new_message_passes_a_backlog_in_two_turns_however_long_it_is(broker, kitchen, hire, mode, backlog) -> None:
    pile_up(broker, backlog)
    broker.ensure_partition("shelf", "sale-of-the-day")
    worker = hire(mode=mode)
    for _ in range(5):
        worker.step(0.1)

    for kettle in ("lin", "sam", "ada"):
        sell(broker, "sale-of-the-day", kettle)
        assert turns_until(worker, kitchen, kettle, most=2)


def test_without_lanes_a_new_message_would_wait_for_a_batch_of_each_partition(broker, kitchen, hire) -> None:
    """What the test above is worth."""
    pile_up(broker, 800)
    worker = hire()
    worker._lanes.far_batches = 1_000_000
    worker.step(0.1)
    sell(broker, "sale-of-lin", "lin")

    assert turns_until(worker, kitchen, "lin", most=50) >= PARTITIONS


def test_a_backlog_moves_also_while_live_never_pauses(broker, kitchen, hire) -> None:
    pile_up(broker, 800)
    worker = hire()
    turns = 60
    for turn in range(turns):
        sell(broker, "busy", *(f"new-{turn}-{n}" for n in range(7)))
        worker.step(0.1)

    old = [batch for batch in kitchen.batches if batch[0].startswith("old")]
    assert len(old) >= turns // (LIVE_IN_A_ROW + 1) - 1
    assert len(kitchen.batches) - len(old) >= turns * 3 // 4
    assert all(len({kettle.rsplit("-", 1)[0] for kettle in batch}) == 1 for batch in old), "one partition at a time"


def test_partitions_that_are_behind_take_turns(broker, kitchen, hire) -> None:
    pile_up(broker, 8_000)
    worker = hire()
    for _ in range(1 + 3 * PARTITIONS):
        worker.step(0.1)

    served = [batch[0].rsplit("-", 1)[0] for batch in kitchen.batches[1:]]
    assert all(served.count(f"old-{number}") in (2, 3, 4) for number in range(PARTITIONS)), served


def test_entries_that_trickle_in_are_still_collected_while_a_backlog_is_worked_off(broker, kitchen, hire) -> None:
    pile_up(broker, 8_000)
    worker = hire(collect_s=0.5)
    for turn in range(100):
        sell(broker, "busy", f"new-{turn}")
        worker.step(0.1)

    live = [batch for batch in kitchen.batches if batch[0].startswith("new")]
    assert len(live) <= 100 * COOKING_S / 0.5 + 2
    assert len(kitchen.batches) == 100, "no turn was spent waiting"


def test_a_catching_up_read_is_bounded_in_bytes(broker, kitchen, hire) -> None:
    sell(broker, "heavy", *(f"old-{n}" for n in range(60)), pad=MOST_BYTES // 4)
    worker = hire()
    for _ in range(6):
        worker.step(0.1)

    assert max(map(len, kitchen.batches[2:])) <= 4


# From the retry set


def test_dead_letters_replayed_in_bulk_hold_up_neither_new_entries_nor_each_other(broker, clock, kitchen, hire) -> None:
    worker = hire(retry=RetryPolicy(max_attempts=1))
    sell(broker, "sale-1", *(f"dead-{n}" for n in range(300)))
    for delivery in broker.read("cooks", "ada", ["shelf"], 300, 0):
        broker.bury("cooks", "ada", delivery, WHY)
    while letters := broker.dead_letters("cooks", "shelf", "sale-1"):
        broker.replay(letters)
    worker.step(0.1)

    for number in range(5):
        sell(broker, "sale-2", f"new-{number}")
        assert turns_until(worker, kitchen, f"new-{number}", most=ALONE_IN_A_ROW + 2)
    before = clock.now
    while len(kitchen.heard_at) < 305:
        worker.step(1.0)
    assert clock.now - before <= 300 * COOKING_S + 1, "and nobody waited in between"


def test_what_an_earlier_holder_left_behind_holds_up_its_own_partition_only(broker, clock, kitchen, hire) -> None:
    former = hire(mode="ordered")
    broker.ensure_partition("shelf", "sale-1")
    broker.ensure_partition("shelf", "sale-2")
    former.step(0)
    sell(broker, "sale-1", *(f"left-{n}" for n in range(60)))
    assert len(former._fetch_one(("shelf", "sale-1"), 60)) == 60
    heir = hire(mode="ordered")
    heir._authority = former._authority  # type: ignore[attr-defined]
    heir._holdings.authority = former._authority  # type: ignore[attr-defined]
    heir.middlewares = former.middlewares
    heir._handling = heir._new_handling()
    while not kitchen.heard_at:
        heir.step(0.5)
    assert set(kitchen.heard_at) == {"left-0"}

    sell(broker, "sale-2", "new")
    sell(broker, "sale-1", "after")

    assert turns_until(heir, kitchen, "new", most=ALONE_IN_A_ROW + 2)
    for _ in range(100):
        heir.step(0.1)
    told = sorted(kitchen.heard_at, key=kitchen.heard_at.__getitem__)
    assert [kettle for kettle in told if kettle != "new"] == [*(f"left-{n}" for n in range(60)), "after"]


# Between groups


@pytest.fixture
def waiters(broker: MemoryBroker, clock: Clock) -> Callable[[], None]:
    """Another group that is up to date; each call tells it something, and it settles it at once."""
    broker.read("waiters", "lin", ["shelf"], 100_000, 0)

    def serve() -> None:
        sell(broker, "table", "soup")
        broker.ack("waiters", "lin", broker.read("waiters", "lin", ["shelf"], 100_000, 0))

    return serve


def old_share(worker: Worker, kitchen: Kitchen, clock: Clock, seconds: float, each_second: Callable[[], None]) -> float:
    """Of the time, how much was spent on the backlog."""
    start, before, told = clock.now, len(kitchen.batches), clock.now
    while clock.now - start < seconds:
        if clock.now >= told:
            each_second()
            told += 1.0
        worker.step(0.25)
        clock.advance(0.001)
    old = [batch for batch in kitchen.batches[before:] if batch[0].startswith("old")]
    return len(old) * COOKING_S / (clock.now - start)


def test_a_replay_leaves_three_quarters_of_the_time_to_groups_that_are_up_to_date(
    broker, clock, kitchen, hire, waiters
) -> None:
    pile_up(broker, 20_000)
    clock.advance(OLD_S + 1)
    waiters()
    worker = hire("historians")

    share = old_share(worker, kitchen, clock, 60, waiters)
    assert 0.8 * SHARE <= share <= 1.2 * SHARE

    share = old_share(worker, kitchen, clock, 60, lambda: None)
    assert share > 0.8, "nobody has been told anything for a while: full speed"


def test_its_own_new_messages_are_heard_in_the_rests_of_a_replay(broker, clock, kitchen, hire, waiters) -> None:
    pile_up(broker, 20_000)
    clock.advance(OLD_S + 1)
    worker = hire("historians")
    old_share(worker, kitchen, clock, 3, waiters)

    for number in range(10):
        sell(broker, "sale-of-lin", f"new-{number}")
        at = clock.now
        while f"new-{number}" not in kitchen.heard_at:
            worker.step(0.25)
        assert kitchen.heard_at[f"new-{number}"] - at <= 3 * COOKING_S


def test_a_fresh_backlog_the_gate_group_and_a_group_with_a_rate_are_not_slowed_down(
    broker, clock, kitchen, hire, waiters
) -> None:
    fresh = hire("cooks")
    pile_up(broker, 4_000)
    assert old_share(fresh, kitchen, clock, 5, waiters) > 0.8

    clock.advance(OLD_S)
    assert old_share(hire("sellers"), kitchen, clock, 10, waiters) > 0.8
    assert old_share(hire("capped", rate=1_000_000.0), kitchen, clock, 10, waiters) > 0.8


def test_on_its_own_a_group_drains_without_a_pause(broker, clock, kitchen, hire) -> None:
    pile_up(broker, 4_000)
    clock.advance(OLD_S * 2)
    worker, start = hire(), clock.now

    while broker.stats({"cooks": ["shelf"]})[0].lag or len(kitchen.heard_at) < 4_000:
        worker.step(1.0)

    assert clock.now - start == pytest.approx(len(kitchen.batches) * COOKING_S)
    assert len(kitchen.batches) == 4_000 / BATCH


def test_a_capped_group_gives_both_lanes_their_part_of_one_exact_rate(broker, clock, hire, kitchen) -> None:
    pile_up(broker, 8_000)
    kitchen.cooking_s = 0.0
    worker = hire(rate=100.0)
    told_at: dict[str, float] = {}
    while clock.now < 20:
        while len(told_at) < clock.now * 30:  # thirty a second that are new
            name = f"new-{len(told_at)}"
            told_at[name] = clock.now
            sell(broker, "busy", name)
        worker.step(0.05)
        clock.advance(0.001)

    assert sum(at <= 20 for at in kitchen.heard_at.values()) == pytest.approx(20 * 100, rel=0.02)
    assert max(kitchen.heard_at.get(name, 99) - at for name, at in told_at.items() if at < 19) < 0.5


def test_a_group_put_at_the_beginning_counts_as_behind(broker, clock, kitchen, hire) -> None:
    pile_up(broker, 800)
    worker = hire()
    while len(kitchen.heard_at) < 800:
        worker.step(0.1)
    for number in range(PARTITIONS):
        broker.seek("cooks", "shelf", f"sale-{number}", BEGINNING)
    worker.step(0.1)

    sell(broker, "sale-of-lin", "lin")

    assert turns_until(worker, kitchen, "lin", most=PARTITIONS + 2)
