"""What every broker must do that offers ordered mode (`"ordered" in broker.capabilities`); see conformance.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queueing.broker import Failure
from queueing.errors import LeaseLost
from queueing.layout import Layout
from queueing.leases import Lease, LeaseSeen, OrderedBroker, Token
from queueing.message import Delivery
from queueing.tests.conformance import TOPICS, WHY, parcel

LAYOUT = Layout(TOPICS["parcels"].partitions)
EARLY = Failure("NotYet: the flour is not here")


class OrderedConformance:
    """Inherit, and offer the fixtures `broker` and `pass_time(seconds)`. One partition is enough: that of key lin."""

    @pytest.fixture
    def lease(self, broker: OrderedBroker) -> Lease:
        assert "ordered" in broker.capabilities
        return self.take(broker, "ada")

    # Leases

    def test_a_free_partition_is_leased_once(self, broker: OrderedBroker) -> None:
        free = self.look(broker)
        assert free.owner == ""

        mine = broker.take_lease("cooks", "ada", free, 1)

        assert mine is not None
        assert broker.take_lease("cooks", "sam", free, 1) is None
        assert (self.look(broker).owner, self.look(broker).token) == ("ada", mine.token)
        assert self.look(broker, group="waiters").owner == ""

    def test_every_lease_has_a_higher_token_than_the_one_before(self, broker: OrderedBroker, lease: Lease) -> None:
        tokens = [lease.token]
        for name in ("sam", "ada", "ada"):
            tokens.append(self.take(broker, name).token)

        assert tokens == sorted(set(tokens))

    def test_a_partition_that_was_given_back_is_free(self, broker: OrderedBroker, lease: Lease) -> None:
        assert broker.give_lease("cooks", "ada", lease)
        assert not broker.give_lease("cooks", "ada", lease)
        assert self.look(broker).owner == ""

        assert self.take(broker, "sam").token > lease.token

    def test_a_late_give_back_does_not_free_what_another_took(self, broker: OrderedBroker, lease: Lease) -> None:
        self.take(broker, "sam")

        assert not broker.give_lease("cooks", "ada", lease)
        assert self.look(broker).owner == "sam"

    def test_a_lease_of_an_older_epoch_is_void(self, broker: OrderedBroker, lease: Lease) -> None:
        stranger = LeaseSeen(lease.topic, lease.partition, "", Token(0, 0))
        assert broker.take_lease("cooks", "sam", stranger, 1) is None

        newer = broker.take_lease("cooks", "sam", stranger, 2)

        assert newer is not None
        assert newer.token > lease.token
        assert broker.take_lease("cooks", "ada", self.look(broker), 1) is None

    # Reading

    def test_only_the_holder_reads(self, broker: OrderedBroker, lease: Lease) -> None:
        broker.produce([parcel()])
        later = self.take(broker, "sam")

        assert broker.read_in_order("cooks", "ada", [lease], 10, 0).lost == ((lease.topic, lease.partition),)
        with pytest.raises(LeaseLost):
            broker.read_left_behind("cooks", "ada", lease, 10)
        [delivery] = broker.read_in_order("cooks", "sam", [later], 10, 0).deliveries
        assert delivery.token == later.token

    def test_a_token_is_needed_beside_the_name(self, broker: OrderedBroker, lease: Lease) -> None:
        """The same consumer may have lost a partition and got it again; what it read before is not its to settle."""
        [old] = self.send(broker, lease, 1)
        again = self.take(broker, "ada")

        with pytest.raises(LeaseLost):
            broker.ack_in_order("cooks", "ada", [old])
        assert broker.read_in_order("cooks", "ada", [lease], 10, 0).lost
        assert len(broker.read_left_behind("cooks", "ada", again, 10).deliveries) == 1

    @pytest.mark.parametrize("settle", ["ack", "retry", "bury", "park"])
    def test_a_former_holder_settles_nothing(self, broker: OrderedBroker, lease: Lease, settle: str) -> None:
        [first, second] = self.send(broker, lease, 2)
        self.take(broker, "sam")
        act = {
            "ack": lambda: broker.ack_in_order("cooks", "ada", [first]),
            "retry": lambda: broker.retry_in_order("cooks", "ada", first, 0, WHY, count=True),
            "bury": lambda: broker.bury_in_order("cooks", "ada", first, WHY, keep_blocked=True),
            "park": lambda: broker.park("cooks", "ada", [second]),
        }[settle]

        with pytest.raises(LeaseLost):
            act()
        assert self.counts(broker) == {"in_flight": 2, "lag": 2, "done": 0, "delayed": 0, "parked": 0, "dead": 0}

    def test_what_an_earlier_holder_left_behind_comes_in_order_and_alone(
        self, broker: OrderedBroker, lease: Lease
    ) -> None:
        left = self.send(broker, lease, 5)
        broker.ack_in_order("cooks", "ada", left[:2])
        later = self.take(broker, "sam")

        taken = broker.read_left_behind("cooks", "sam", later, 10).deliveries

        assert [d.message for d in taken] == [d.message for d in left[2:]]
        assert all(d.alone and d.attempt == 2 for d in taken)
        assert broker.begin_attempt("cooks", "sam", taken[0])
        assert broker.ack_in_order("cooks", "sam", taken) == 3
        assert broker.read_left_behind("cooks", "sam", later, 10).deliveries == []
        assert self.counts(broker)["done"] == 5

    # Parking

    def test_a_failing_message_blocks_its_key_and_no_other(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, follower = self.send(broker, lease, 2)
        assert broker.retry_in_order("cooks", "ada", head, 0.5, WHY, count=True)
        assert broker.park("cooks", "ada", [follower]) == 1
        broker.produce([parcel(), parcel(self.neighbour)])

        found = broker.read_in_order("cooks", "ada", [lease], 10, 0)

        assert [d.message.key for d in found.deliveries] == ["lin", self.neighbour]
        assert found.blocked == {(lease.topic, lease.partition, "lin")}
        broker.park("cooks", "ada", found.deliveries[:1])
        broker.ack_in_order("cooks", "ada", found.deliveries[1:])
        assert self.counts(broker) == {"in_flight": 0, "lag": 0, "done": 1, "delayed": 1, "parked": 2, "dead": 0}
        assert self.due(broker, lease) == []
        pass_time(0.51)
        [again] = self.due(broker, lease)
        assert (again.message, again.attempt, again.alone) == (head.message, 2, True)

    def test_followers_come_in_order_once_the_head_is_done(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, *followers = self.send(broker, lease, 6)
        broker.retry_in_order("cooks", "ada", head, 0, WHY, count=True)
        broker.park("cooks", "ada", followers[:3])
        broker.park("cooks", "ada", followers[3:])
        pass_time(0.005)
        [again] = self.due(broker, lease)
        assert self.due(broker, lease) == []

        broker.ack_in_order("cooks", "ada", [again])
        pass_time(0.005)
        first = self.due(broker, lease, limit=3)
        assert [d.message for d in first] == [d.message for d in followers[:3]]
        assert all(d.attempt == 1 and not d.alone for d in first)
        broker.produce([parcel()])
        late = broker.read_in_order("cooks", "ada", [lease], 10, 0)
        assert late.blocked
        broker.park("cooks", "ada", late.deliveries)
        broker.ack_in_order("cooks", "ada", first)
        pass_time(0.005)
        rest = self.due(broker, lease)
        assert [d.message for d in rest] == [d.message for d in (*followers[3:], *late.deliveries)]
        broker.ack_in_order("cooks", "ada", rest)

        assert self.counts(broker) == {"in_flight": 0, "lag": 0, "done": 7, "delayed": 0, "parked": 0, "dead": 0}
        broker.produce([parcel()])
        assert not broker.read_in_order("cooks", "ada", [lease], 10, 0).blocked

    def test_a_follower_that_fails_holds_up_those_behind_it(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, *followers = self.send(broker, lease, 5)
        broker.retry_in_order("cooks", "ada", head, 0, EARLY, count=False)
        broker.park("cooks", "ada", followers)
        pass_time(0.005)
        one, two, three, four, five = self.due(broker, lease)
        broker.ack_in_order("cooks", "ada", [one, two])
        broker.retry_in_order("cooks", "ada", three, 0, WHY, count=True)
        broker.park("cooks", "ada", [four, five])
        assert self.counts(broker)["parked"] == 2

        pass_time(0.005)
        [again] = self.due(broker, lease)
        assert (again.message, again.attempt) == (three.message, 2)
        broker.ack_in_order("cooks", "ada", [again])
        pass_time(0.005)
        assert [(d.message, d.attempt) for d in self.due(broker, lease)] == [(four.message, 1), (five.message, 1)]

    def test_what_a_dead_holder_had_of_a_parked_key_goes_back_in_order(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, *followers = self.send(broker, lease, 5)
        broker.retry_in_order("cooks", "ada", head, 0, EARLY, count=False)
        broker.park("cooks", "ada", followers)
        pass_time(0.005)
        one, *_ = self.due(broker, lease, limit=4)
        broker.ack_in_order("cooks", "ada", [one])

        later = self.take(broker, "sam")

        assert self.counts(broker) == {"in_flight": 0, "lag": 0, "done": 1, "delayed": 1, "parked": 3, "dead": 0}
        seen = []
        while len(seen) < 4:
            pass_time(0.005)
            batch = broker.read_due_in_order("cooks", "sam", [later], 10)
            seen += [d.message for d in batch]
            broker.ack_in_order("cooks", "sam", batch)
        assert seen == [d.message for d in followers]

    def test_a_buried_head_keeps_its_key_until_it_is_replayed(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, follower = self.send(broker, lease, 2)
        assert broker.bury_in_order("cooks", "ada", head, WHY, keep_blocked=True)
        broker.park("cooks", "ada", [follower])
        pass_time(0.005)
        assert self.due(broker, lease) == []
        assert self.counts(broker) == {"in_flight": 0, "lag": 0, "done": 0, "delayed": 0, "parked": 1, "dead": 1}

        assert broker.replay(broker.dead_letters("cooks", lease.topic, lease.partition)) == 1
        pass_time(0.005)
        replayed = self.due(broker, lease)

        assert [d.message for d in replayed] == [head.message, follower.message]
        assert replayed[0].replays == 1
        broker.ack_in_order("cooks", "ada", replayed)
        assert self.counts(broker)["done"] == 2

    def test_a_buried_head_may_let_its_key_go_on(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, *followers = self.send(broker, lease, 3)
        broker.retry_in_order("cooks", "ada", head, 0, WHY, count=True)
        broker.park("cooks", "ada", followers)
        pass_time(0.005)
        [again] = self.due(broker, lease)

        assert not broker.bury_in_order("cooks", "ada", again, WHY, keep_blocked=False)
        pass_time(0.005)

        assert [d.message for d in self.due(broker, lease)] == [d.message for d in followers]

    def test_copies_of_a_parked_message_merge_into_it(self, broker: OrderedBroker, lease: Lease) -> None:
        head, follower = parcel(), parcel()
        broker.produce([head, follower, head, follower])
        one, two, copy_of_one, copy_of_two = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.retry_in_order("cooks", "ada", one, 60, WHY, count=True)
        broker.park("cooks", "ada", [two, copy_of_one, copy_of_two])

        assert self.counts(broker) == {"in_flight": 0, "lag": 0, "done": 2, "delayed": 1, "parked": 1, "dead": 0}

    def test_what_a_reset_took_out_of_our_hands_cannot_fail_any_more(self, broker: OrderedBroker, lease: Lease) -> None:
        """It comes again; if it were ignored, what follows it on its key would go first."""
        first, second = self.send(broker, lease, 2)
        broker.seek("cooks", lease.topic, lease.partition, "beginning")

        with pytest.raises(LeaseLost):
            broker.retry_in_order("cooks", "ada", first, 0, WHY, count=True)
        with pytest.raises(LeaseLost):
            broker.bury_in_order("cooks", "ada", first, WHY, keep_blocked=True)
        again = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        assert [d.message for d in again] == [first.message, second.message]

    def test_nothing_is_parked_behind_nobody(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        """A head that is done between the decision to park a follower and the parking must not strand it."""
        [alone] = self.send(broker, lease, 1)
        broker.park("cooks", "ada", [alone])
        pass_time(0.005)

        assert [d.message for d in self.due(broker, lease)] == [alone.message]

    neighbour = next(key for key in map(str, range(100)) if LAYOUT.partition_of(key) == LAYOUT.partition_of("lin"))

    @staticmethod
    def look(broker: OrderedBroker, group: str = "cooks") -> LeaseSeen:
        mine = LAYOUT.partition_of("lin")
        return next(seen for seen in broker.leases(group, ["parcels"]) if seen.partition == mine)

    def take(self, broker: OrderedBroker, consumer: str) -> Lease:
        lease = broker.take_lease("cooks", consumer, self.look(broker), 1)
        assert lease is not None
        return lease

    def test_the_sums_of_a_series_are_the_counters_in_order_too(self, broker: OrderedBroker, lease: Lease) -> None:
        broker.ack_in_order("cooks", "ada", self.send(broker, lease, 3))
        head, follower = self.send(broker, lease, 2)
        assert broker.retry_in_order("cooks", "ada", head, 9, WHY, count=True)
        assert broker.park("cooks", "ada", [follower]) == 1
        [dead] = self.send(broker, lease, 1)
        assert broker.bury_in_order("cooks", "ada", dead, WHY, keep_blocked=False) is False

        series = broker.series("cooks", "parcels", 60)

        rows = broker.stats({"cooks": ["parcels"]})
        for name, total in (("acked", 6), ("retried", 1), ("buried", 1)):
            assert sum(getattr(series, name)) == sum(getattr(row, name) for row in rows) == total, name
        assert (sum(series.produced), series.lag[-1]) == (6, 0)

    @staticmethod
    def send(broker: OrderedBroker, lease: Lease, count: int) -> list[Delivery]:
        broker.produce([parcel() for _ in range(count)])
        deliveries = list(broker.read_in_order("cooks", "ada", [lease], 100, 0).deliveries)
        assert len(deliveries) == count
        return deliveries

    @staticmethod
    def due(broker: OrderedBroker, lease: Lease, limit: int = 100) -> list[Delivery]:
        return broker.read_due_in_order("cooks", "ada", [lease], limit)

    @staticmethod
    def counts(broker: OrderedBroker) -> dict[str, int]:
        rows = broker.stats({"cooks": ["parcels"]})
        names = ("in_flight", "lag", "done", "delayed", "parked", "dead")
        return {name: sum(getattr(row, name) for row in rows) for name in names}
