"""What every broker must do. A broker opts in with a fixture called `broker` (see test_memory.py).

Written against queueing.broker's promises; `now` moves time for brokers with a virtual clock and waits for real ones.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from queueing.about import About
from queueing.broker import BEGINNING, END, Broker, Failure
from queueing.errors import TopicFull, UnknownTopic
from queueing.message import Message, new_id
from queueing.topic import Topic

TOPICS = {
    "parcels": Topic("parcels", partitions=2),
    "brief": Topic("brief", retention_s=0.05),
    "few": Topic("few", retention_messages=3),
    "per.sale": Topic("per.sale", dynamic=True, gate_group="cooks", capacity=5),
}
WHY = Failure("the oven is cold", "Traceback …")


def parcel(key: str = "lin", *, topic: str = "parcels", deliver_at_ms: int = 0) -> Message:
    return Message(
        new_id(), topic, key, "tests.Parcel", 1, b'{"to":"lin"}', 1_700_000_000_000, {"trace": "abc"}, deliver_at_ms
    )


class BrokerConformance:
    """Inherit, and offer the fixtures `broker`, `pass_time(seconds)` and `now_ms()`, all on the broker's own clock."""

    def test_a_message_arrives_as_it_was_sent(self, broker: Broker) -> None:
        sent = parcel()
        broker.produce([sent])

        [received] = broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert received.message == sent
        assert received.attempt == 1
        assert not received.alone

    def test_every_group_hears_every_message_and_each_group_once(self, broker: Broker) -> None:
        broker.produce([parcel(str(n)) for n in range(6)])

        cooks = broker.read("cooks", "ada", ["parcels"], 3, 0) + broker.read("cooks", "sam", ["parcels"], 10, 0)
        waiters = broker.read("waiters", "lin", ["parcels"], 10, 0)

        assert len({d.message.id for d in cooks}) == len(cooks) == 6
        assert {d.message.id for d in waiters} == {d.message.id for d in cooks}
        assert broker.read("cooks", "ada", ["parcels"], 10, 0) == []

    def test_messages_of_one_key_keep_their_order(self, broker: Broker) -> None:
        sent = [parcel("lin" if n % 3 else "sam") for n in range(20)]
        broker.produce(sent)

        received = [d.message for d in broker.read("cooks", "ada", ["parcels"], 100, 0)]

        for key in ("lin", "sam"):
            assert [m.id for m in received if m.key == key] == [m.id for m in sent if m.key == key]

    def test_a_group_that_comes_later_starts_at_the_beginning(self, broker: Broker) -> None:
        broker.produce([parcel()])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["parcels"], 10, 0))

        assert len(broker.read("historians", "lin", ["parcels"], 10, 0)) == 1

    def test_a_new_partition_is_read_without_being_announced(self, broker: Broker) -> None:
        assert broker.read("cooks", "ada", ["per.sale"], 10, 0) == []
        broker.produce([parcel("sale-7", topic="per.sale")])

        [received] = broker.read("cooks", "ada", ["per.sale"], 10, 0)

        assert received.partition == "sale-7"
        assert broker.partitions("per.sale") == ["sale-7"]

    def test_partitions_may_be_left_out_and_read_by_themselves(self, broker: Broker) -> None:
        broker.produce([parcel(str(n)) for n in range(20)] + [parcel("sale-7", topic="per.sale")])
        topics = ["parcels", "per.sale"]

        without = broker.read("cooks", "ada", topics, 100, 0, without={("parcels", "0")})
        one = broker.read_one("cooks", "ada", ("parcels", "0"), 3)
        rest = broker.read_one("cooks", "ada", ("parcels", "0"), 100)

        assert {(d.message.topic, d.partition) for d in without} == {("parcels", "1"), ("per.sale", "sale-7")}
        assert {d.partition for d in (*one, *rest)} == {"0"}
        assert (len(one), len(without) + len(one) + len(rest)) == (3, 21)
        assert broker.read_one("cooks", "ada", ("parcels", "1"), 100) == []
        assert broker.ack("cooks", "ada", [*without, *one, *rest]) == 21

    def test_one_partition_may_be_the_first_that_a_group_reads(self, broker: Broker) -> None:
        broker.produce([parcel("sale-7", topic="per.sale")])

        assert len(broker.read_one("cooks", "ada", ("per.sale", "sale-7"), 10)) == 1

    def test_others_are_live_while_they_read_the_end_of_a_log_that_grows(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel()])
        assert not broker.others_are_live("cooks", 60), "nobody reads"
        broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert not broker.others_are_live("cooks", 60), "only itself"
        broker.read("waiters", "lin", ["parcels"], 10, 0)
        assert broker.others_are_live("cooks", 60)

        pass_time(0.2)
        assert not broker.others_are_live("cooks", 0.1), "they are at the end, and nobody tells them anything"
        broker.produce([parcel()])
        assert not broker.others_are_live("cooks", 0.1), "they do not come to read it"
        broker.read("waiters", "lin", ["parcels"], 10, 0)
        assert broker.others_are_live("cooks", 0.1)

    def test_an_undeclared_topic_is_refused(self, broker: Broker) -> None:
        with pytest.raises(UnknownTopic, match="nowhere"):
            broker.produce([parcel(topic="nowhere")])

    def test_ack_settles_and_a_second_ack_changes_nothing(self, broker: Broker) -> None:
        broker.produce([parcel(), parcel()])
        batch = broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert broker.ack("cooks", "ada", batch) == 2
        assert broker.ack("cooks", "ada", batch) == 0
        assert self.count(broker, "done") == self.count(broker, "acked") == 2
        assert self.count(broker, "in_flight") == 0

    def test_only_the_owner_settles(self, broker: Broker) -> None:
        broker.produce([parcel()])
        [mine] = broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert broker.ack("cooks", "sam", [mine]) == 0
        assert not broker.retry("cooks", "sam", mine, 0, WHY, count=True)
        assert not broker.bury("cooks", "sam", mine, WHY)
        assert self.count(broker, "in_flight") == 1

    def test_of_a_mixed_batch_each_owner_settles_its_own(self, broker: Broker) -> None:
        broker.produce([parcel("lin") for _ in range(4)])
        mine = broker.read("cooks", "ada", ["parcels"], 2, 0)
        theirs = broker.read("cooks", "sam", ["parcels"], 2, 0)

        assert broker.ack("cooks", "ada", [*theirs, *mine]) == 2
        assert self.count(broker, "in_flight") == 2
        assert broker.ack("cooks", "sam", [*mine, *theirs]) == 2
        assert self.count(broker, "done") == self.count(broker, "acked") == 4

    def test_a_retried_message_comes_again_to_its_group_alone(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel()])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.read("waiters", "lin", ["parcels"], 10, 0)

        assert broker.retry("cooks", "ada", first, 0.05, WHY, count=True)
        assert self.count(broker, "lag") == 0  # it left the log for this group; the log is not held up
        assert self.count(broker, "delayed") == 1
        pass_time(0.06)
        [again] = broker.read_due("cooks", "sam", ["parcels"], 10)

        assert again.message == first.message
        assert (again.attempt, again.alone, again.source) == (2, True, "retry")
        assert broker.read_due("waiters", "lin", ["parcels"], 10) == []
        assert broker.ack("cooks", "sam", [again]) == 1
        assert (self.count(broker, "delayed"), self.count(broker, "done")) == (0, 1)

    def test_a_retry_is_not_due_before_its_time(self, broker: Broker) -> None:
        broker.produce([parcel()])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.retry("cooks", "ada", first, 60, WHY, count=True)

        assert broker.read_due("cooks", "ada", ["parcels"], 10) == []

    def test_coming_too_early_is_no_attempt(self, broker: Broker, pass_time: Callable[[float], None]) -> None:
        broker.produce([parcel()])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.retry("cooks", "ada", first, 0.01, WHY, count=False)
        pass_time(0.02)

        [again] = broker.read_due("cooks", "ada", ["parcels"], 10)

        assert again.attempt == 1

    def test_what_a_dead_consumer_held_is_taken_over_and_its_late_ack_is_refused(self, broker: Broker) -> None:
        broker.produce([parcel(), parcel()])
        held = broker.read("cooks", "zombie", ["parcels"], 10, 0)
        assert "zombie" in broker.beats("cooks")

        taken = broker.take_over("cooks", "zombie", "ada", ["parcels"], 10)

        assert {d.message.id for d in taken} == {d.message.id for d in held}
        assert all(d.alone and d.attempt == 2 for d in taken)
        assert broker.ack("cooks", "zombie", held) == 0
        assert broker.ack("cooks", "ada", taken) == 2
        assert "zombie" not in broker.beats("cooks")

    def test_taking_over_counts_only_attempts_that_began(self, broker: Broker) -> None:
        """Neighbours of a message that kills its process are not buried with it."""
        broker.produce([parcel("lin"), parcel("lin")])
        broker.read("cooks", "first", ["parcels"], 10, 0)
        poison, neighbour = broker.take_over("cooks", "first", "second", ["parcels"], 10)
        assert broker.begin_attempt("cooks", "second", poison)

        taken = {d.message.id: d for d in broker.take_over("cooks", "second", "third", ["parcels"], 10)}

        assert taken[poison.message.id].attempt == 3
        assert taken[neighbour.message.id].attempt == 2

    def test_a_retried_message_in_dead_hands_becomes_due_again(self, broker: Broker) -> None:
        broker.produce([parcel()])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.retry("cooks", "ada", first, 0, WHY, count=True)
        [held] = broker.read_due("cooks", "zombie", ["parcels"], 10)
        assert broker.begin_attempt("cooks", "zombie", held)

        broker.take_over("cooks", "zombie", "ada", ["parcels"], 10)
        [again] = broker.read_due("cooks", "ada", ["parcels"], 10)

        assert again.attempt == 3
        assert broker.ack("cooks", "zombie", [held]) == 0
        assert broker.ack("cooks", "ada", [again]) == 1

    def test_a_retried_message_that_waits_behind_a_killer_has_not_begun(self, broker: Broker) -> None:
        """Several are handed out together and begun one by one; only what was begun counts."""
        broker.produce([parcel("lin"), parcel("lin")])
        for entry in broker.read("cooks", "ada", ["parcels"], 10, 0):
            broker.retry("cooks", "ada", entry, 0, WHY, count=True)
        killer, neighbour = broker.read_due("cooks", "zombie", ["parcels"], 10)
        assert broker.begin_attempt("cooks", "zombie", killer)
        assert not broker.begin_attempt("cooks", "sam", neighbour)

        broker.take_over("cooks", "zombie", "ada", ["parcels"], 10)

        again = {d.message.id: d.attempt for d in broker.read_due("cooks", "ada", ["parcels"], 10)}
        assert again == {killer.message.id: 3, neighbour.message.id: 2}

    def test_a_buried_message_is_dead_until_replayed_and_a_second_replay_changes_nothing(self, broker: Broker) -> None:
        broker.produce([parcel()])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert broker.bury("cooks", "ada", first, WHY)
        assert (self.count(broker, "dead"), self.count(broker, "lag")) == (1, 0)

        letters = broker.dead_letters("cooks", "parcels", first.partition)
        assert broker.replay(letters) == 1
        assert broker.replay(letters) == 0
        [again] = broker.read_due("cooks", "sam", ["parcels"], 10)

        assert again.message.id == first.message.id
        assert (again.attempt, again.replays) == (1, 1)
        broker.ack("cooks", "sam", [again])
        assert (self.count(broker, "dead"), self.count(broker, "done")) == (0, 1)

    def test_a_message_produced_twice_is_set_aside_once(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        """After a relay's crash the same id stands twice in the log; the copies share one retry and one grave."""
        twin = parcel()
        broker.produce([twin, twin, twin, twin])
        one, two, three, four = broker.read("cooks", "ada", ["parcels"], 10, 0)

        broker.retry("cooks", "ada", one, 0.01, WHY, count=True)
        broker.retry("cooks", "ada", two, 0.01, WHY, count=True)
        assert self.count(broker, "delayed") == 1
        pass_time(0.02)
        [again] = broker.read_due("cooks", "ada", ["parcels"], 10)
        broker.retry("cooks", "ada", three, 0.01, WHY, count=True)
        broker.bury("cooks", "ada", again, WHY)
        broker.bury("cooks", "ada", four, WHY)

        assert (self.count(broker, "delayed"), self.count(broker, "dead")) == (0, 1)
        assert self.count(broker, "acked") == self.count(broker, "done") + 1 == 4
        pass_time(0.02)
        assert broker.read_due("cooks", "ada", ["parcels"], 10) == []

    def test_a_full_topic_refuses_the_whole_batch_and_opens_when_the_gate_group_catches_up(
        self, broker: Broker
    ) -> None:
        broker.read("cooks", "ada", ["per.sale"], 1, 0)
        broker.produce([parcel("sale-7", topic="per.sale") for _ in range(4)])

        with pytest.raises(TopicFull) as full:
            broker.produce([parcel("sale-7", topic="per.sale") for _ in range(2)])
        assert full.value.retry_after > 0
        assert self.count(broker, "appended", topics=["per.sale"]) == 4

        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["per.sale"], 10, 0))
        broker.produce([parcel("sale-7", topic="per.sale") for _ in range(5)])

    def test_a_delayed_message_is_no_lag_until_it_is_due_and_then_arrives_as_it_was_sent(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        sent = replace(parcel(deliver_at_ms=now_ms() + 600), body=b'{"to":"L\xc3\xadn \xff"}')
        broker.produce([sent])

        due_in_s = broker.promote(["parcels"])
        assert due_in_s == pytest.approx(0.3, abs=0.3)
        assert broker.read("cooks", "ada", ["parcels"], 10, 0) == []
        assert (self.count(broker, "appended"), self.count(broker, "lag"), self.later(broker)) == (0, 0, 1)
        pass_time(0.61)

        assert broker.promote(["parcels"]) is None
        [received] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        assert received.message == sent
        assert (self.count(broker, "appended"), self.count(broker, "lag"), self.later(broker)) == (1, 1, 0)

    def test_delayed_messages_come_in_the_order_they_are_due(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        start = now_ms()
        third, first, second = (parcel(deliver_at_ms=start + n) for n in (30, 10, 20))
        broker.produce([third, first, parcel(), second])
        pass_time(0.04)
        broker.promote(["parcels"])

        received = [d.message.id for d in broker.read("cooks", "ada", ["parcels"], 10, 0)]

        assert received[1:] == [first.id, second.id, third.id]

    def test_a_due_time_that_has_passed_is_due_at_once(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        pass_time(0.01)
        broker.produce([parcel(deliver_at_ms=1)])

        broker.promote(["parcels"])

        assert len(broker.read("cooks", "ada", ["parcels"], 10, 0)) == 1

    def test_a_delayed_message_produced_twice_waits_once(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        twin = parcel(deliver_at_ms=now_ms() + 10)
        broker.produce([twin])
        broker.produce([twin, twin])
        pass_time(0.02)

        broker.promote(["parcels"])

        assert self.count(broker, "appended") == 1

    def test_a_cancelled_message_never_comes_and_one_that_came_is_not_cancelled(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        unwanted, wanted = (parcel(str(n), deliver_at_ms=now_ms() + 10) for n in range(2))
        broker.produce([unwanted, wanted])

        assert broker.cancel(unwanted.id)
        assert not broker.cancel(unwanted.id)
        assert not broker.cancel(new_id())
        pass_time(0.02)
        broker.promote(["parcels"])

        assert [d.message.id for d in broker.read("cooks", "ada", ["parcels"], 10, 0)] == [wanted.id]
        assert not broker.cancel(wanted.id)

    def test_a_full_topic_takes_delayed_messages_and_appends_them_when_they_are_due(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        """What was accepted is not refused later; backpressure is for those who produce."""
        broker.read("cooks", "ada", ["per.sale"], 1, 0)
        broker.produce([parcel("sale-7", topic="per.sale") for _ in range(5)])
        broker.produce([parcel("sale-7", topic="per.sale", deliver_at_ms=now_ms() + 5)])
        pass_time(0.01)

        broker.promote(["per.sale"])

        assert self.count(broker, "lag", topics=["per.sale"]) == 6

    def test_promoting_looks_at_the_given_topics_only(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel("sale-7", topic="per.sale", deliver_at_ms=now_ms() + 5)])
        pass_time(0.01)

        assert broker.promote(["parcels"]) is None
        assert self.later(broker, "per.sale") == 1

    def test_a_consumer_that_holds_nothing_leaves_and_one_that_holds_something_stays_listed(
        self, broker: Broker
    ) -> None:
        broker.produce([parcel()])
        for name in ("ada", "sam"):
            broker.beat("cooks", name)
        broker.read("cooks", "ada", ["parcels"], 10, 0)

        broker.leave("cooks", "ada", ["parcels"])
        broker.leave("cooks", "sam", ["parcels"])

        assert set(broker.beats("cooks")) == {"ada"}

    def test_a_rate_is_shared_by_the_whole_group(self, broker: Broker) -> None:
        """A tenth of a second's worth is saved up; what goes beyond is waited for."""
        assert broker.charge("cooks", 10, rate=100) == 0
        assert broker.charge("cooks", 50, rate=100) == pytest.approx(0.5, abs=0.05)
        assert broker.charge("cooks", 50, rate=100) == pytest.approx(1.0, abs=0.05)
        assert broker.charge("waiters", 10, rate=100) == 0
        assert broker.charge("cooks", 10, rate=100, topic="parcels") == 0, "one topic's cap is its own"
        assert broker.charge("cooks", 10, rate=100, topic="parcels") == pytest.approx(0.1, abs=0.05)

    def test_what_was_saved_up_is_told_and_bounded_as_the_caller_says(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        assert broker.charge("cooks", 10, rate=100) == pytest.approx(0, abs=0.01)
        pass_time(0.4)

        assert broker.charge("cooks", 10, rate=100, saved_up_s=1.0) == pytest.approx(-0.3, abs=0.05)
        assert broker.charge("cooks", 0, rate=100) == pytest.approx(-0.1, abs=0.01), "a cap is not saved up twice"

    def test_a_debt_is_paid_as_fast_as_before_when_the_cap_changes(self, broker: Broker) -> None:
        assert broker.charge("cooks", 110, rate=100) == pytest.approx(1.0, abs=0.05)

        assert broker.charge("cooks", 10, rate=1) == pytest.approx(11.0, abs=0.1)

    def test_a_cap_is_set_for_a_topic_or_the_group_until_it_is_forgotten(self, broker: Broker) -> None:
        assert broker.rates("cooks") == {}

        broker.set_rate("cooks", 12.5)
        broker.set_rate("cooks", None, topic="parcels")
        broker.set_rate("waiters", 7)

        assert broker.rates("cooks") == {"": 12.5, "parcels": None}
        broker.forget_rate("cooks", topic="parcels")
        broker.forget_rate("cooks", topic="parcels")
        assert broker.rates("cooks") == {"": 12.5}

    def test_a_beat_changes_what_observers_see(self, broker: Broker) -> None:
        broker.beat("cooks", "ada")
        before = broker.beats("cooks")["ada"]
        broker.beat("cooks", "ada")

        assert broker.beats("cooks")["ada"] != before

    def test_what_a_consumer_says_of_itself_is_known_until_it_leaves(self, broker: Broker) -> None:
        said = About(host="oven-1", pid=412, handled=7, per_s=3.5, memory_bytes=50_000_000)
        broker.produce([parcel(), parcel()])
        broker.beat("cooks", "ada", said)
        broker.beat("cooks", "sam")
        held = broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert broker.abouts("cooks") == {"ada": said}
        assert sum(row.in_hands.get("ada", 0) for row in broker.stats({"cooks": ["parcels"]})) == 2

        broker.ack("cooks", "ada", held)
        broker.leave("cooks", "ada", ["parcels"])
        assert broker.abouts("cooks") == {}
        assert all(not row.in_hands.get("ada") for row in broker.stats({"cooks": ["parcels"]}))

    def test_trimming_drops_what_is_old_and_settled(self, broker: Broker, pass_time: Callable[[float], None]) -> None:
        broker.produce([parcel(topic="brief") for _ in range(3)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["brief"], 10, 0))

        assert broker.trim("brief", ["cooks"]) == 0  # settled, and young
        pass_time(0.06)
        broker.produce([parcel(topic="brief")])
        assert broker.trim("brief", ["cooks"]) == 3

        assert self.kept(broker, "brief") == (4, 1, 3)
        assert self.count(broker, "lag", topics=["brief"]) == 1
        assert len(broker.read("cooks", "ada", ["brief"], 10, 0)) == 1

    def test_trimming_keeps_the_newest_so_many(self, broker: Broker) -> None:
        broker.produce([parcel(topic="few") for _ in range(8)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["few"], 10, 0))

        assert broker.trim("few", ["cooks"]) == 5
        assert broker.trim("few", ["cooks"]) == 0
        assert self.kept(broker, "few") == (8, 3, 5)

    def test_what_any_group_has_not_settled_is_never_trimmed(self, broker: Broker) -> None:
        """Drill 7: a backlog over any cap. One entry pending in one group holds everything after it."""
        broker.produce([parcel(topic="few") for _ in range(10)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["few"], 10, 0))
        held = broker.read("waiters", "lin", ["few"], 6, 0)
        broker.ack("waiters", "lin", [held[0], held[1], held[3], held[5]])

        assert broker.trim("few", ["cooks", "waiters"]) == 2
        broker.ack("waiters", "lin", [held[2]])
        assert broker.trim("few", ["cooks", "waiters"]) == 2
        broker.ack("waiters", "lin", [held[4]])
        assert broker.trim("few", ["cooks", "waiters"]) == 2, "six are read, four are not"
        assert len(broker.read("waiters", "sam", ["few"], 10, 0)) == 4
        assert self.kept(broker, "few") == (10, 4, 6)

    def test_a_group_that_never_read_a_partition_still_needs_all_of_it(self, broker: Broker) -> None:
        """Its consumers may have been down since the partition was made."""
        broker.produce([parcel(topic="few") for _ in range(8)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["few"], 10, 0))

        assert broker.trim("few", ["cooks", "waiters"]) == 0
        assert len(broker.read("waiters", "lin", ["few"], 10, 0)) == 8

    def test_a_topic_without_retention_is_never_trimmed(self, broker: Broker) -> None:
        broker.produce([parcel() for _ in range(8)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["parcels"], 10, 0))

        assert broker.trim("parcels", ["cooks"]) == 0

    def test_a_worker_that_died_before_a_trim_is_taken_over_after_it(self, broker: Broker) -> None:
        """Drill 7: its entries are all there, its lag is exact."""
        broker.produce([parcel(topic="few") for _ in range(10)])
        first = broker.read("cooks", "zombie", ["few"], 10, 0)
        broker.ack("cooks", "zombie", first[:5])
        assert broker.trim("few", ["cooks"]) == 5
        assert self.count(broker, "lag", topics=["few"]) == 5

        taken = broker.take_over("cooks", "zombie", "ada", ["few"], 10)

        assert [d.message for d in taken] == [d.message for d in first[5:]]
        assert broker.ack("cooks", "ada", taken) == 5
        assert self.count(broker, "lag", topics=["few"]) == 0

    def test_a_group_that_comes_after_a_trim_starts_with_the_first_that_is_kept(self, broker: Broker) -> None:
        broker.produce([parcel(topic="few") for _ in range(8)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["few"], 10, 0))
        broker.trim("few", ["cooks"])
        assert self.count(broker, "lag", topics=["few"], group="historians") == 3

        batch = broker.read("historians", "lin", ["few"], 10, 0)

        assert len(batch) == 3
        assert self.count(broker, "skipped", topics=["few"], group="historians") == 5
        assert self.count(broker, "lag", topics=["few"], group="historians") == 3
        broker.ack("historians", "lin", batch)
        assert self.count(broker, "lag", topics=["few"], group="historians") == 0

    def test_a_group_may_start_now_and_then_misses_nothing(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel(), parcel("sale-1", topic="per.sale")])
        pass_time(0.01)
        broker.start_at("waiters", END)
        topics = ["parcels", "per.sale"]
        assert broker.read("waiters", "lin", topics, 10, 0) == []
        assert self.count(broker, "lag", topics=topics, group="waiters") == 0

        broker.produce([parcel(), parcel("sale-1", topic="per.sale"), parcel("sale-2", topic="per.sale")])

        batch = broker.read("waiters", "lin", topics, 10, 0)
        assert len(batch) == 3, "the new partition from its first entry"
        assert self.count(broker, "lag", topics=topics, group="waiters") == 3
        assert self.count(broker, "skipped", topics=topics, group="waiters") == 2

    def test_a_group_may_start_at_a_moment(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel(), parcel()])
        pass_time(0.01)
        broker.start_at("waiters", now_ms())
        broker.produce([parcel("from-here-on")])

        [received] = broker.read("waiters", "lin", ["parcels"], 10, 0)

        assert received.message.key == "from-here-on"

    def test_a_group_that_has_begun_stays_where_it_is(self, broker: Broker) -> None:
        broker.read("cooks", "ada", ["parcels"], 10, 0)
        broker.produce([parcel()])
        broker.start_at("cooks", END)

        assert len(broker.read("cooks", "ada", ["parcels"], 10, 0)) == 1

    def test_a_group_put_at_the_beginning_reads_everything_again_and_counts_it(self, broker: Broker) -> None:
        broker.produce([parcel(topic="few") for _ in range(6)])
        batch = broker.read("cooks", "ada", ["few"], 4, 0)
        broker.ack("cooks", "ada", batch[:1])
        broker.bury("cooks", "ada", batch[1], WHY)

        assert broker.seek("cooks", "few", "0", BEGINNING, dry_run=True) == 6
        assert self.count(broker, "lag", topics=["few"]) == 4
        assert broker.seek("cooks", "few", "0", BEGINNING) == 6

        assert self.count(broker, "lag", topics=["few"]) == 6
        assert broker.ack("cooks", "ada", batch[2:]) == 0, "what it held comes again, so it is not its own any more"
        again = broker.read("cooks", "ada", ["few"], 10, 0)
        assert [d.message for d in again[:4]] == [d.message for d in batch]
        assert broker.ack("cooks", "ada", again) == 6
        assert self.count(broker, "lag", topics=["few"]) == 0
        [row] = broker.stats({"cooks": ["few"]})
        assert (row.acked, row.skipped, row.done, row.dead) == (8, -2, 7, 1)

    def test_a_group_put_at_an_offset_reads_from_there_and_keeps_what_it_holds_from_before(
        self, broker: Broker
    ) -> None:
        broker.produce([parcel(topic="few") for _ in range(6)])
        batch = broker.read("cooks", "ada", ["few"], 6, 0)
        broker.ack("cooks", "ada", batch[3:5])

        assert broker.seek("cooks", "few", "0", batch[4].offset) == 2

        assert self.count(broker, "in_flight", topics=["few"]) == 3
        assert self.count(broker, "lag", topics=["few"]) == 5
        assert broker.ack("cooks", "ada", batch[:4]) == 3
        again = broker.read("cooks", "ada", ["few"], 10, 0)
        assert [d.offset for d in again] == [d.offset for d in batch[4:]]
        broker.ack("cooks", "ada", again)
        assert self.count(broker, "lag", topics=["few"]) == 0

    def test_a_group_put_at_a_moment_or_the_end(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        broker.produce([parcel(topic="few"), parcel(topic="few")])
        pass_time(0.01)
        moment = now_ms()
        broker.produce([parcel(topic="few")])

        assert broker.seek("cooks", "few", "0", moment) == 1
        assert self.count(broker, "lag", topics=["few"]) == 1
        assert broker.seek("cooks", "few", "0", END) == 0
        assert self.count(broker, "lag", topics=["few"]) == 0
        assert broker.seek("cooks", "few", "0", now_ms() + 60_000) == 0
        broker.produce([parcel(topic="few")])
        assert len(broker.read("cooks", "ada", ["few"], 10, 0)) == 1

    def test_an_offset_that_is_none_is_refused(self, broker: Broker) -> None:
        with pytest.raises(ValueError, match="no offset"):
            broker.seek("cooks", "few", "0", "yesterday")

    def test_a_paused_group_is_paused_for_all_and_alone(self, broker: Broker) -> None:
        broker.pause("cooks")
        broker.pause("cooks")

        assert (broker.is_paused("cooks"), broker.is_paused("waiters")) == (True, False)
        broker.resume("cooks")
        assert not broker.is_paused("cooks")

    @staticmethod
    def kept(broker: Broker, topic: str) -> tuple[int, int, int]:
        """Appended, still in the log, trimmed."""
        [row] = broker.stats({"cooks": [topic]})
        return row.appended, row.kept, row.trimmed

    @staticmethod
    def later(broker: Broker, topic: str = "parcels") -> int:
        return sum(row.later for row in broker.stats({"cooks": [topic]}))

    @staticmethod
    def count(broker: Broker, name: str, *, topics: list[str] | None = None, group: str = "cooks") -> int:
        return sum(getattr(row, name) for row in broker.stats({group: topics or ["parcels"]}))
