"""What every broker must do when a topic grows; see conformance.py. The parcels grow from two partitions to four."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from msgspec.structs import replace

from queueing.broker import BEGINNING, Broker
from queueing.errors import CannotGrow, UnknownTopic
from queueing.layout import Layout
from queueing.leases import Lease, OrderedBroker
from queueing.message import Delivery, Message
from queueing.tests.conformance import WHY, parcel

OLD, NEW, NEWEST = Layout(2), Layout(4), Layout(8)
NAMES = [*map(str, range(200))]
# Of partition 0: a key that stays, and two that move to partition 2.
STAYS = next(key for key in NAMES if NEWEST.partition_of(key) == "0")
MOVES, MOVES_TOO = [key for key in NAMES if NEWEST.partition_of(key) == "2"][:2]
OTHER = next(key for key in NAMES if NEW.partition_of(key) == "3")  # of partition 1, moves as well


class GrowingConformance:
    """Inherit, and offer the fixtures `broker`, `pass_time(seconds)` and `now_ms()`."""

    def test_a_topic_grows_and_every_key_keeps_its_order(self, broker: Broker) -> None:
        before = [parcel(key) for _ in range(5) for key in NAMES[:20]]
        broker.produce(before)
        broker.grow("parcels", 4)
        after = [parcel(key) for _ in range(5) for key in NAMES[:20]]
        broker.produce(after)

        seen = self.work_off(broker)

        assert broker.partitions("parcels") == ["0", "1", "2", "3"]
        assert {d.partition for d in seen if d.message in after} == {"0", "1", "2", "3"}
        assert all(d.partition == NEW.partition_of(d.message.key) for d in seen if d.message in after)
        self.in_order(seen, [*before, *after])
        self.adds_up(broker)

    def test_a_new_partition_waits_for_the_one_it_was_split_from_and_for_no_other(self, broker: Broker) -> None:
        broker.produce([parcel(MOVES), parcel(OTHER)])
        held = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.grow("parcels", 4)
        broker.produce([parcel(STAYS), parcel(MOVES), parcel(OTHER)])

        broker.ack("cooks", "ada", [d for d in held if d.message.key == OTHER])
        first = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert {d.message.key for d in first} == {STAYS, OTHER}
        assert broker.read("cooks", "ada", ["parcels"], 10, 0) == []

        broker.ack("cooks", "ada", [d for d in held if d.message.key == MOVES])
        [last] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert (last.message.key, last.partition) == (MOVES, "2")

    def test_a_new_partition_that_waits_is_not_read_by_itself_either(self, broker: Broker) -> None:
        broker.produce([parcel(MOVES)])
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])

        assert broker.read_one("cooks", "ada", ("parcels", "2"), 10) == []
        broker.ack("cooks", "ada", broker.read_one("cooks", "ada", ("parcels", "0"), 10))
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert first.partition == "2"

    def test_a_group_that_is_down_holds_up_nobody_but_itself(self, broker: Broker) -> None:
        broker.produce([parcel(MOVES)])
        broker.read("waiters", "lin", ["parcels"], 10, 0)
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])

        assert len(self.work_off(broker)) == 2
        assert broker.read("waiters", "lin", ["parcels"], 10, 0) == []
        assert [row.lag for row in broker.stats({"waiters": ["parcels"]})] == [1, 0, 1, 0]

    def test_a_group_that_comes_after_the_growth_reads_the_old_partition_first(self, broker: Broker) -> None:
        sent = [parcel(MOVES)]
        broker.produce(sent)
        broker.grow("parcels", 4)
        sent.append(parcel(MOVES))
        broker.produce(sent[1:])

        self.in_order(self.work_off(broker, "historians"), sent)

    def test_growing_again_changes_nothing(self, broker: Broker) -> None:
        broker.produce([parcel(MOVES)])
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])

        broker.grow("parcels", 4)
        broker.grow("parcels", 2)

        assert [row.appended for row in broker.stats({"cooks": ["parcels"]})] == [1, 0, 1, 0]

    def test_a_topic_grows_twice_before_anybody_read(self, broker: Broker) -> None:
        sent: list[Message] = []
        for partitions in (2, 4, 8):
            broker.grow("parcels", partitions)
            more = [parcel(key) for key in NAMES[:40]]
            broker.produce(more)
            sent += more

        seen = self.work_off(broker)

        self.in_order(seen, sent)
        assert broker.partitions("parcels") == [*map(str, range(8))]
        assert all(d.partition == NEWEST.partition_of(d.message.key) for d in seen if d.message in more)
        self.adds_up(broker)

    @pytest.mark.parametrize(("topic", "partitions"), [("parcels", 3), ("parcels", 6), ("parcels", 1), ("per.sale", 2)])
    def test_what_is_no_doubling_is_refused(self, broker: Broker, topic: str, partitions: int) -> None:
        with pytest.raises(CannotGrow):
            broker.grow(topic, partitions)
        assert len(broker.partitions(topic)) in (0, 2)

    def test_an_unknown_topic_does_not_grow(self, broker: Broker) -> None:
        with pytest.raises(UnknownTopic):
            broker.grow("nowhere", 2)

    # What a group holds

    def test_retries_and_dead_letters_of_keys_that_moved_move_along(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel(key) for key in (STAYS, MOVES, STAYS, MOVES_TOO)])
        stays, moves, dead_stays, dead_moves = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.retry("cooks", "ada", stays, 0.01, WHY, count=True)
        broker.retry("cooks", "ada", moves, 0.01, WHY, count=True)
        broker.bury("cooks", "ada", dead_stays, WHY)
        broker.bury("cooks", "ada", dead_moves, WHY)
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])

        [new] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        pass_time(0.02)
        due = {d.message.id: d for d in broker.read_due("cooks", "ada", ["parcels"], 10)}

        assert new.partition == "2"
        assert {id_: d.partition for id_, d in due.items()} == {stays.message.id: "0", moves.message.id: "2"}
        assert due[moves.message.id].attempt == 2
        assert due[moves.message.id].message == moves.message
        assert broker.ack("cooks", "ada", [new, *due.values()]) == 3
        rows = {row.partition: row for row in broker.stats({"cooks": ["parcels"]})}
        assert (rows["0"].dead, rows["0"].moved, rows["2"].dead, rows["2"].moved) == (1, -2, 1, 2)
        for partition in ("0", "2"):
            assert broker.replay(broker.dead_letters("cooks", "parcels", partition)) == 1
        again = broker.read_due("cooks", "ada", ["parcels"], 10)
        assert {(d.partition, d.message.id) for d in again} == {
            ("0", dead_stays.message.id),
            ("2", dead_moves.message.id),
        }
        broker.ack("cooks", "ada", again)
        self.adds_up(broker)

    def test_a_dead_letter_as_it_was_seen_before_it_moved_is_left_alone(self, broker: Broker) -> None:
        """The operator's page was drawn before the topic grew. Nothing is replayed that is not where it was seen."""
        broker.produce([parcel(MOVES)])
        [dead] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.bury("cooks", "ada", dead, WHY, quarantine=True)
        seen = broker.dead_letters("cooks", "parcels", "0")
        broker.grow("parcels", 4)
        broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert broker.replay(seen) == broker.purge(seen) == 0
        [moved] = broker.dead_letters("cooks", "parcels", "2")
        assert (moved.letter.id, moved.letter.quarantined, moved.buried_at_ms) == (
            dead.message.id,
            True,
            seen[0].buried_at_ms,
        )
        assert [row.quarantined for row in broker.stats({"cooks": ["parcels"]})] == [0, 0, 1, 0]

    def test_a_retry_that_is_in_hand_is_waited_for(self, broker: Broker) -> None:
        broker.produce([parcel(MOVES), parcel(STAYS)])
        for delivery in broker.read("cooks", "ada", ["parcels"], 10, 0):
            broker.retry("cooks", "ada", delivery, 0, WHY, count=True)
        in_hand = broker.read_due("cooks", "ada", ["parcels"], 10)
        broker.grow("parcels", 4)
        broker.produce([parcel(MOVES)])

        assert broker.read("cooks", "sam", ["parcels"], 10, 0) == []
        assert broker.ack("cooks", "ada", [d for d in in_hand if d.message.key == MOVES]) == 1
        [new] = broker.read("cooks", "sam", ["parcels"], 10, 0)
        assert new.partition == "2"
        assert broker.ack("cooks", "ada", in_hand) == 1, "what stays needs not be waited for"
        broker.ack("cooks", "sam", [new])
        self.adds_up(broker)

    def test_a_consumer_that_dies_with_a_moved_key_in_hand_is_taken_over(self, broker: Broker) -> None:
        sent = [parcel(MOVES), parcel(MOVES)]
        broker.produce(sent)
        first, _ = broker.read("cooks", "zombie", ["parcels"], 10, 0)
        broker.retry("cooks", "zombie", first, 0, WHY, count=True)
        broker.read_due("cooks", "zombie", ["parcels"], 10)
        broker.grow("parcels", 4)
        sent.append(parcel(MOVES))
        broker.produce(sent[2:])

        taken = broker.take_over("cooks", "zombie", "ada", ["parcels"], 10)
        broker.ack("cooks", "ada", taken)

        assert {d.message.id for d in [*taken, *self.work_off(broker)]} == {m.id for m in sent}
        self.adds_up(broker)

    def test_what_is_moved_twice_arrives(self, broker: Broker) -> None:
        broker.produce([parcel(key) for key in NAMES[:40]])
        for delivery in broker.read("cooks", "ada", ["parcels"], 100, 0):
            broker.retry("cooks", "ada", delivery, 0, WHY, count=True)
        broker.grow("parcels", 4)
        broker.grow("parcels", 8)

        broker.read("cooks", "ada", ["parcels"], 10, 0)
        due = broker.read_due("cooks", "ada", ["parcels"], 100)

        assert len({d.message.id for d in due}) == len(due) == 40
        assert all(d.partition == NEWEST.partition_of(d.message.key) for d in due)
        assert broker.ack("cooks", "ada", due) == 40
        self.adds_up(broker)

    def test_a_group_that_is_put_back_waits_again(self, broker: Broker) -> None:
        sent = [parcel(MOVES), parcel(MOVES_TOO)]
        broker.produce(sent)
        broker.grow("parcels", 4)
        sent += [parcel(MOVES), parcel(MOVES_TOO)]
        broker.produce(sent[2:])
        self.work_off(broker)

        for partition in broker.partitions("parcels"):
            broker.seek("cooks", "parcels", partition, BEGINNING)

        again = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert {d.partition for d in again} == {"0"}
        broker.bury("cooks", "ada", again[0], WHY)
        broker.ack("cooks", "ada", again[1:])
        self.in_order([*again, *self.work_off(broker)], sent)
        assert [row.dead for row in broker.stats({"cooks": ["parcels"]})] == [0, 0, 1, 0]
        self.adds_up(broker)

    def test_a_letter_that_was_purged_where_it_moved_to_and_dies_again_after_a_reset_is_kept(
        self, broker: Broker
    ) -> None:
        broker.produce([parcel(MOVES), parcel(MOVES_TOO)])
        dead, held = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.bury("cooks", "ada", dead, WHY)
        broker.retry("cooks", "ada", held, 0, WHY, count=True)
        [held] = broker.read_due("cooks", "ada", ["parcels"], 10)  # so the new partition stays shut
        broker.grow("parcels", 4)
        broker.read("cooks", "ada", ["parcels"], 10, 0)
        letters = [broker.dead_letters("cooks", "parcels", partition) for partition in "02"]
        assert broker.purge([letter for page in letters for letter in page]) == 1

        broker.seek("cooks", "parcels", "0", BEGINNING)
        for delivery in broker.read("cooks", "ada", ["parcels"], 10, 0):
            if delivery.message == dead.message:
                broker.bury("cooks", "ada", delivery, WHY)
            else:
                broker.ack("cooks", "ada", [delivery])
        broker.ack("cooks", "ada", [held])

        assert self.work_off(broker) == []
        assert [row.dead for row in broker.stats({"cooks": ["parcels"]})] == [0, 0, 1, 0]
        self.adds_up(broker)

    def test_what_nobody_may_read_yet_is_not_trimmed(self, broker: Broker) -> None:
        broker.produce([parcel(topic="few")])
        held = broker.read("cooks", "ada", ["few"], 10, 0)
        broker.grow("few", 2)
        key = next(key for key in NAMES if Layout(2).partition_of(key) == "1")
        broker.produce([parcel(key, topic="few") for _ in range(8)])
        assert broker.read("cooks", "ada", ["few"], 10, 0) == []

        assert broker.trim("few", ["cooks"]) == 0
        broker.ack("cooks", "ada", held)
        assert len(broker.read("cooks", "ada", ["few"], 10, 0)) == 8

    # What is delayed

    def test_delayed_messages_move_and_come_in_the_order_they_are_due(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        start = now_ms()
        sent = [parcel(MOVES, deliver_at_ms=start + 40 + n) for n in (5, 1, 3)]
        broker.produce([*sent[:2], parcel(STAYS, deliver_at_ms=start + 40)])
        broker.grow("parcels", 4)
        broker.produce([sent[2], replace(sent[0])])
        pass_time(0.06)

        assert broker.promote(["parcels"]) is None
        seen = self.work_off(broker)

        assert len(seen) == 4
        came = [d.message.id for d in seen if d.message.key == MOVES]
        assert came == [sent[1].id, sent[2].id, sent[0].id]
        assert all(d.partition == NEW.partition_of(d.message.key) for d in seen)
        self.adds_up(broker)

    def test_a_delayed_message_that_moved_can_be_taken_back(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        unwanted, wanted = (parcel(MOVES, deliver_at_ms=now_ms() + 30) for _ in range(2))
        broker.produce([unwanted, wanted])
        broker.grow("parcels", 4)

        assert broker.cancel(unwanted.id)
        assert not broker.cancel(unwanted.id)
        pass_time(0.05)
        broker.promote(["parcels"])

        assert [d.message.id for d in self.work_off(broker)] == [wanted.id]

    # Ordered mode

    def test_a_new_partition_is_leased_once_it_is_open(self, broker: OrderedBroker) -> None:
        broker.produce([parcel(MOVES)])
        [lease] = self.take_all(broker, {"0"})
        [held] = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.grow("parcels", 4)
        broker.produce([parcel(STAYS), parcel(MOVES)])

        assert {seen.partition for seen in broker.leases("cooks", ["parcels"])} == {"0", "1", "3"}
        [going_on] = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        assert going_on.message.key == STAYS
        broker.ack_in_order("cooks", "ada", [held])
        assert {seen.partition for seen in broker.leases("cooks", ["parcels"])} == {"0", "1", "2", "3"}

    def test_a_blocked_key_moves_with_its_head_and_its_followers(
        self, broker: OrderedBroker, pass_time: Callable[[float], None]
    ) -> None:
        sent = [parcel(MOVES) for _ in range(4)]
        broker.produce([*sent, parcel(STAYS), parcel(STAYS)])
        [lease] = self.take_all(broker, {"0"})
        head, *followers, stays, stays_too = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.retry_in_order("cooks", "ada", head, 0, WHY, count=True)
        broker.retry_in_order("cooks", "ada", stays, 0, WHY, count=True)
        broker.park("cooks", "ada", [*followers, stays_too])
        broker.grow("parcels", 4)
        sent.append(parcel(MOVES))
        broker.produce(sent[4:])

        [new] = self.take_all(broker, {"2"})
        found = broker.read_in_order("cooks", "ada", [new], 10, 0)
        assert found.blocked == {("parcels", "2", MOVES)}
        broker.park("cooks", "ada", found.deliveries)
        seen = self.heads(broker, new, pass_time)

        assert [d.message.id for d in seen] == [message.id for message in sent]
        assert [d.message.id for d in self.heads(broker, lease, pass_time)] == [stays.message.id, stays_too.message.id]
        self.adds_up(broker)

    def test_a_head_in_hand_keeps_its_key_where_it_is(
        self, broker: OrderedBroker, pass_time: Callable[[float], None]
    ) -> None:
        sent = [parcel(MOVES) for _ in range(3)]
        broker.produce(sent)
        [lease] = self.take_all(broker, {"0"})
        head, *followers = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.retry_in_order("cooks", "ada", head, 0, WHY, count=True)
        broker.park("cooks", "ada", followers)
        pass_time(0.002)
        [in_hand] = broker.read_due_in_order("cooks", "ada", [lease], 10)
        broker.grow("parcels", 4)
        sent.append(parcel(MOVES))
        broker.produce(sent[3:])

        assert "2" not in {seen.partition for seen in broker.leases("cooks", ["parcels"])}
        broker.retry_in_order("cooks", "ada", in_hand, 0, WHY, count=True)
        [new] = self.take_all(broker, {"2"})
        broker.park("cooks", "ada", broker.read_in_order("cooks", "ada", [new], 10, 0).deliveries)

        assert [d.message.id for d in self.heads(broker, new, pass_time)] == [message.id for message in sent]
        self.adds_up(broker)

    def test_a_key_that_waits_behind_a_dead_letter_waits_where_it_moved_to(
        self, broker: OrderedBroker, pass_time: Callable[[float], None]
    ) -> None:
        sent = [parcel(MOVES) for _ in range(2)]
        broker.produce(sent)
        [lease] = self.take_all(broker, {"0"})
        head, follower = broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries
        broker.bury_in_order("cooks", "ada", head, WHY, keep_blocked=True)
        broker.park("cooks", "ada", [follower])
        broker.grow("parcels", 4)

        [new] = self.take_all(broker, {"2"})
        assert broker.read_due_in_order("cooks", "ada", [new], 10) == []
        assert broker.replay(broker.dead_letters("cooks", "parcels", "2")) == 1

        assert [d.message.id for d in self.heads(broker, new, pass_time)] == [message.id for message in sent]
        self.adds_up(broker)

    def test_a_holder_of_a_new_partition_loses_it_when_its_group_is_put_back(self, broker: OrderedBroker) -> None:
        broker.produce([parcel(MOVES)])
        [lease] = self.take_all(broker, {"0"})
        broker.ack_in_order("cooks", "ada", broker.read_in_order("cooks", "ada", [lease], 10, 0).deliveries)
        broker.grow("parcels", 4)
        [new] = self.take_all(broker, {"2"})

        broker.seek("cooks", "parcels", "0", BEGINNING)

        assert "2" not in {seen.partition for seen in broker.leases("cooks", ["parcels"])}
        assert broker.read_in_order("cooks", "ada", [new], 10, 0).lost == (("parcels", "2"),)

    @staticmethod
    def take_all(broker: OrderedBroker, partitions: set[str]) -> list[Lease]:
        leases = [
            broker.take_lease("cooks", "ada", seen, 1)
            for seen in broker.leases("cooks", ["parcels"])
            if seen.partition in partitions
        ]
        assert {lease.partition for lease in leases if lease} == partitions
        return [lease for lease in leases if lease]

    @staticmethod
    def heads(broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]) -> list[Delivery]:
        """Work off what is due, until nothing is."""
        seen: list[Delivery] = []
        pass_time(0.002)
        while due := broker.read_due_in_order("cooks", "ada", [lease], 10):
            broker.ack_in_order("cooks", "ada", due)
            seen += due
            pass_time(0.002)
        return seen

    @staticmethod
    def work_off(broker: Broker, group: str = "cooks") -> list[Delivery]:
        """Read and acknowledge until nothing comes; what follows from a settlement is seen by the next read."""
        seen: list[Delivery] = []
        while batch := [
            *broker.read(group, "ada", ["parcels"], 7, 0),
            *broker.read_due(group, "ada", ["parcels"], 7),
        ]:
            broker.ack(group, "ada", batch)
            seen += batch
        return seen

    @staticmethod
    def in_order(seen: Iterable[Delivery], sent: Sequence[Message]) -> None:
        told = [delivery.message for delivery in seen]
        assert sorted(m.id for m in told) == sorted(m.id for m in sent)
        for key in {message.key for message in sent}:
            assert [m.id for m in told if m.key == key] == [m.id for m in sent if m.key == key], key

    @staticmethod
    def adds_up(broker: Broker, group: str = "cooks", topic: str = "parcels") -> None:
        rows = broker.stats({group: [topic]})
        for row in rows:
            assert (
                row.acked + row.moved == row.done + row.in_flight + row.delayed + row.dead + row.parked + row.purged
            ), row
        assert sum(row.moved for row in rows) == 0
