"""Growth on Redis: broken off at every step, twice at once, with producers that know nothing of it yet."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.errors import BrokerUnavailable
from queueing.layout import Layout, Split, splits
from queueing.leases import Lease
from queueing.message import Delivery, Message
from queueing.tests.conformance import TOPICS, WHY, parcel
from queueing.tests.growing_conformance import MOVES, MOVES_TOO, NAMES, STAYS, GrowingConformance

NEW = Layout(4)


class Died(Exception):
    """The process, at this call."""


@pytest.fixture
def new_broker(client: redis.Redis, redis_url: str) -> Iterator[Callable[[], RedisStreamsBroker]]:
    made: list[RedisStreamsBroker] = []

    def make() -> RedisStreamsBroker:
        made.append(RedisStreamsBroker(TOPICS, url=redis_url))
        return made[-1]

    yield make
    for broker in made:
        broker.redis.close()


@pytest.fixture
def broker(new_broker: Callable[[], RedisStreamsBroker]) -> RedisStreamsBroker:
    return new_broker()


def dies_at(broker: RedisStreamsBroker, call: int) -> RedisStreamsBroker:
    """Its process dies before its `call`th script, or right after it: nobody hears the reply."""
    left = [call]

    def fragile(script: Any) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and call % 2:
                raise Died
            reply = script(*args, **kwargs)
            if left[0] == 0:
                raise Died
            return reply

        return run

    broker._scripts = {name: fragile(script) for name, script in broker._scripts.items()}  # type: ignore[misc]
    return broker


class TestSplits:
    def test_half_of_the_keys_move_to_the_new_partition_and_no_other_key_does(self) -> None:
        before, after = Layout(3), Layout(3)
        for split in splits(3, 24):
            after.learn(split.partition, split.generation)
        everything = Layout(24)

        for name in map(str, range(2_000)):
            assert after.partition_of(name) == everything.partition_of(name)
            assert int(after.partition_of(name)) % 3 == int(before.partition_of(name))

    def test_one_split_concerns_one_partition(self) -> None:
        before, after = Layout(4), Layout(4)
        split = Split("1", "5", 1)
        after.learn("1", 1)

        for name in map(str, range(2_000)):
            moved = before.partition_of(name) == "1" and split.moves(name, 4)
            assert after.partition_of(name) == ("5" if moved else before.partition_of(name))


class TestProducers:
    def test_one_that_knows_nothing_of_it_is_refused_and_goes_where_the_key_is(
        self, broker: RedisStreamsBroker, new_broker: Callable[[], RedisStreamsBroker], client: redis.Redis
    ) -> None:
        sent = [parcel(key) for key in NAMES[:30]]
        broker.produce(sent)
        new_broker().grow("parcels", 4)
        new_broker().grow("parcels", 8)
        refusals = client.info("commandstats")["cmdstat_evalsha"]["calls"]

        more = [parcel(key, deliver_at_ms=n % 2) for n, key in enumerate(NAMES[:30])]
        broker.produce(more)
        broker.promote(["parcels"])

        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - refusals > 8, "it was refused"
        for number in range(8):
            entries = client.xrange(keys.log("parcels", str(number)))
            for _, fields in entries[sum(Layout(2).partition_of(m.key) == str(number) for m in sent) :]:
                assert Layout(8).partition_of(fields[b"k"].decode()) == str(number)
        assert sum(client.xlen(keys.log("parcels", str(n))) for n in range(8)) == 60

    def test_an_emptied_redis_begins_with_what_was_declared(
        self, broker: RedisStreamsBroker, client: redis.Redis
    ) -> None:
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])
        client.flushdb()

        broker.produce([parcel(MOVES)])

        assert broker.partitions("parcels") == ["0", "1"]
        assert client.xlen(keys.log("parcels", "0")) == 1

    def test_a_later_change_of_the_setting_changes_nothing(self, broker: RedisStreamsBroker, redis_url: str) -> None:
        broker.produce([parcel(MOVES)])
        declared_anew = {**TOPICS, "parcels": type(TOPICS["parcels"])("parcels", partitions=5)}
        other = RedisStreamsBroker(declared_anew, url=redis_url)
        other.produce([parcel(key) for key in NAMES[:20]])

        assert other.partitions("parcels") == ["0", "1"]
        other.redis.close()

    def test_a_redis_that_is_away_is_told(self) -> None:
        with pytest.raises(BrokerUnavailable):
            RedisStreamsBroker(TOPICS, url="redis://127.0.0.1:1/0").grow("parcels", 4)


class TestBrokenOff:
    """Whoever grows, or opens, dies at every single step in turn; somebody else goes on."""

    def test_growth_is_finished_by_doing_it_again(
        self, new_broker: Callable[[], RedisStreamsBroker], client: redis.Redis
    ) -> None:
        for call in range(1, 100):
            client.flushdb()
            broker = new_broker()
            due = _now_ms(client) + 3_600_000
            sent = [parcel(key, deliver_at_ms=due * (n % 3 == 0)) for n, key in enumerate(NAMES[:24])]
            broker.produce(sent)
            try:
                dies_at(new_broker(), call).grow("parcels", 4)
            except Died:
                done = False
            else:
                done = True

            more = [parcel(key, deliver_at_ms=due * (n % 3 == 0)) for n, key in enumerate(NAMES[:24])]
            broker.produce(more)  # nobody waits for whoever died
            promoter = new_broker()
            promoter.promote(["parcels"])
            heir = new_broker()
            heir.grow("parcels", 4)
            heir.promote(["parcels"])

            at_once = [m for m in (*sent, *more) if not m.deliver_at_ms]
            GrowingConformance.in_order(GrowingConformance.work_off(heir), at_once)
            later = {p: client.zrange(keys.later("parcels", p), 0, -1) for p in heir.partitions("parcels")}
            found = {id_.decode(): p for p, ids in later.items() for id_ in ids}
            assert found == {m.id: NEW.partition_of(m.key) for m in (*sent, *more) if m.deliver_at_ms}, call
            self.delayed_add_up(client)
            GrowingConformance.adds_up(heir)
            if done:
                assert call > 12, "the test saw too few steps"
                return
        raise AssertionError("it never came through")

    @pytest.mark.parametrize("letter", [b"not json", b'{"key": "caf\xe9"}', b"{}"])
    def test_a_letter_that_nobody_can_read_stays_where_it_is_and_holds_up_nothing(
        self, letter: bytes, new_broker: Callable[[], RedisStreamsBroker], client: redis.Redis
    ) -> None:
        broker = new_broker()
        broker.leases("cooks", ["parcels"])
        client.hset(keys.graves("parcels", "0", "cooks"), "strange", letter)
        client.zadd(keys.dead("parcels", "0", "cooks"), {"strange": 1})

        broker.grow("parcels", 4)

        assert [seen.partition for seen in new_broker().leases("cooks", ["parcels"])] == ["0", "1", "2", "3"]
        [strange] = broker.dead_letters("cooks", "parcels", "0")
        assert broker.purge([strange]) == 1

    def test_opening_is_finished_by_the_next_who_looks(
        self, new_broker: Callable[[], RedisStreamsBroker], client: redis.Redis
    ) -> None:
        for call in range(1, 100):
            client.flushdb()
            broker = new_broker()
            sent = self.in_all_states(broker)
            broker.grow("parcels", 4)
            more = [parcel(MOVES), parcel(MOVES_TOO), parcel(STAYS)]
            broker.produce(more)
            fragile = dies_at(new_broker(), call)
            fragile._joined |= {("parcels", p, "cooks") for p in "0123"}  # its calls are those of the opening
            for partition in "0123":
                broker._begin("cooks", "parcels", partition)
            try:
                fragile.leases("cooks", ["parcels"])
            except Died:
                done = False
            else:
                done = True

            heir = new_broker()
            assert [seen.partition for seen in heir.leases("cooks", ["parcels"])] == ["0", "1", "2", "3"], call
            GrowingConformance.adds_up(heir)
            rows = {row.partition: row for row in heir.stats({"cooks": ["parcels"]})}
            assert (rows["0"].moved, rows["2"].moved) == (-4, 4), call
            for partition in "02":
                heir.replay(heir.dead_letters("cooks", "parcels", partition))
            seen = self.work_off_in_order(heir)
            GrowingConformance.in_order(seen, [*sent, *more])
            GrowingConformance.adds_up(heir)
            assert not client.exists(keys.leaving("parcels", "0", "cooks"), keys.arrived("parcels", "2", "cooks"))
            if done:
                assert call > 8, "the test saw too few steps"
                return
        raise AssertionError("it never came through")

    @staticmethod
    def in_all_states(broker: RedisStreamsBroker) -> list[Message]:
        """One key failed, with followers; one is dead; and the same of a key that stays."""
        sent = [parcel(key) for key in (MOVES, MOVES, MOVES, MOVES_TOO, STAYS, STAYS)]
        broker.produce(sent)
        lease = _lease(broker, "0")
        head, second, third, dead, stays, stays_too = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.retry_in_order("cooks", "ada", head, 0, WHY, count=True)
        broker.bury_in_order("cooks", "ada", dead, WHY, keep_blocked=True)
        broker.retry_in_order("cooks", "ada", stays, 0, WHY, count=True)
        broker.park("cooks", "ada", [second, third, stays_too])
        broker.give_lease("cooks", "ada", lease)
        return sent

    @staticmethod
    def work_off_in_order(broker: RedisStreamsBroker) -> list[Delivery]:
        seen: list[Delivery] = []
        leases = [_lease(broker, partition) for partition in broker.partitions("parcels")]
        deadline = time.monotonic() + 5
        while any(row.lag or row.delayed or row.parked for row in broker.stats({"cooks": ["parcels"]})):
            assert time.monotonic() < deadline, broker.stats({"cooks": ["parcels"]})
            due = broker.read_due_in_order("cooks", "ada", leases, 10)
            broker.ack_in_order("cooks", "ada", due)
            found = broker.read_in_order("cooks", "ada", leases, 10, 0)
            blocked = [d for d in found.deliveries if (d.message.topic, d.partition, d.message.key) in found.blocked]
            broker.park("cooks", "ada", blocked)
            free = [d for d in found.deliveries if d not in blocked]
            broker.ack_in_order("cooks", "ada", free)
            seen += [*due, *free]
        return seen

    @staticmethod
    def delayed_add_up(client: redis.Redis) -> None:
        total = 0
        for partition in "0123":
            meta = {name: int(value) for name, value in client.hgetall(keys.meta("parcels", partition)).items()
                    if name in (b"scheduled", b"moved", b"promoted", b"cancelled")}  # fmt: skip
            waiting = client.zcard(keys.later("parcels", partition))
            came = meta.get(b"scheduled", 0) + meta.get(b"moved", 0)
            assert came == meta.get(b"promoted", 0) + meta.get(b"cancelled", 0) + waiting
            total += meta.get(b"moved", 0)
            assert not client.exists(keys.later_leaving("parcels", partition), keys.later_arrived("parcels", partition))
        assert total == 0


class TestCancelling:
    def test_a_message_is_found_though_it_moves_on_between_any_two_looks(
        self, broker: RedisStreamsBroker, new_broker: Callable[[], RedisStreamsBroker], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each growth comes after the partitions were listed, and before anybody looked into them."""
        key = next(key for key in NAMES if [Layout(n).partition_of(key) for n in (2, 4, 8)] == ["1", "3", "7"])
        unwanted = parcel(key, deliver_at_ms=int(time.time() * 1000) + 3_600_000)
        broker.produce([unwanted])
        growths, listed, other = [4, 8], broker._partitions, new_broker()

        def list_and_grow(topics: Any) -> Any:
            found = listed(topics)
            if growths:
                other.grow("parcels", growths.pop(0))
            return found

        monkeypatch.setattr(broker, "_partitions", list_and_grow)

        assert broker.cancel(unwanted.id)
        assert not broker.cancel(unwanted.id)


class TestAtOnce:
    def test_two_grow_while_others_produce_consume_and_take_back(
        self, new_broker: Callable[[], RedisStreamsBroker], client: redis.Redis
    ) -> None:
        """Real threads; each has a broker of its own."""
        stop = threading.Event()
        sent: list[Message] = []
        seen: list[Delivery] = []
        taken_back: set[str] = set()
        failures: list[BaseException] = []
        seed = random.randrange(10**6)

        def produce(broker: RedisStreamsBroker) -> None:
            rng = random.Random(seed)
            while not stop.is_set() and len(sent) < 3_000:
                batch = [parcel(rng.choice(NAMES[:60])) for _ in range(rng.randint(1, 9))]
                broker.produce(batch)
                sent.extend(batch)
                delayed = parcel(rng.choice(NAMES), deliver_at_ms=_now_ms(client) + 3_600_000)
                broker.produce([delayed])
                if broker.cancel(delayed.id):
                    taken_back.add(delayed.id)
                else:
                    failures.append(AssertionError(f"{delayed.id} was not found"))

        def consume(broker: RedisStreamsBroker, name: str) -> None:
            rng = random.Random(f"{seed}/{name}")
            while not stop.is_set() or any(row.lag or row.delayed for row in broker.stats({"cooks": ["parcels"]})):
                batch = [
                    *broker.read("cooks", name, ["parcels"], 20, 0),
                    *broker.read_due("cooks", name, ["parcels"], 9),
                ]
                for delivery in batch:
                    if rng.random() < 0.1 and delivery.attempt == 1:
                        broker.retry("cooks", name, delivery, 0, WHY, count=True)
                    elif broker.ack("cooks", name, [delivery]):
                        seen.append(delivery)

        def guarded(act: Callable[..., None], *args: Any) -> threading.Thread:
            def run() -> None:
                try:
                    act(*args)
                except BaseException as error:
                    failures.append(error)
                    stop.set()

            thread = threading.Thread(target=run)
            thread.start()
            return thread

        producing = guarded(produce, new_broker())
        consuming = [guarded(consume, new_broker(), name) for name in ("ada", "sam")]
        for partitions in (4, 8):
            growing = [guarded(lambda b, n: b.grow("parcels", n), new_broker(), partitions) for _ in range(2)]
            for thread in growing:
                thread.join(timeout=20)
        producing.join(timeout=20)
        stop.set()
        for thread in consuming:
            thread.join(timeout=20)

        assert failures == [], f"seed {seed}"
        assert sorted(d.message.id for d in seen) == sorted(m.id for m in sent), f"seed {seed}"
        broker = new_broker()
        assert len(broker.partitions("parcels")) == 8
        GrowingConformance.adds_up(broker)
        assert len(taken_back) > 10


def _lease(broker: RedisStreamsBroker, partition: str) -> Lease:
    [seen] = [seen for seen in broker.leases("cooks", ["parcels"]) if seen.partition == partition]
    lease = broker.take_lease("cooks", "ada", seen, 1)
    assert lease is not None
    return lease


def _now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000
