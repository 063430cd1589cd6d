"""What every broker must do with dead letters: tell their story, give them back, forget them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queueing.broker import Broker, Failure
from queueing.dead import Buried, Mark, in_order_of_burial
from queueing.leases import Lease, OrderedBroker
from queueing.message import Delivery
from queueing.tests.conformance import WHY, parcel
from queueing.tests.ordered_conformance import LAYOUT

WHERE = ("parcels", LAYOUT.partition_of("lin"))


class DeadConformance:
    """Inherit, beside BrokerConformance and OrderedConformance; their fixtures are used here."""

    def test_a_dead_letter_tells_its_story(
        self, broker: Broker, pass_time: Callable[[float], None], now_ms: Callable[[], int]
    ) -> None:
        sent = parcel()
        broker.produce([sent])
        [first] = broker.read("cooks", "ada", ["parcels"], 10, 0)
        before = now_ms()
        broker.retry("cooks", "ada", first, 0.02, WHY, count=True)
        between = now_ms()
        pass_time(0.03)
        [again] = broker.read_due("cooks", "sam", ["parcels"], 10)
        broker.bury("cooks", "sam", again, WHY)

        [buried] = self.dead(broker)

        letter = buried.letter
        assert buried == broker.dead_letter("cooks", *WHERE, sent.id)
        assert letter.delivery(1).message == sent, "id, key, body, headers and producer's time"
        assert (letter.topic, letter.partition, letter.offset) == (*WHERE, first.offset), "its origin"
        assert (letter.reason, letter.traceback, letter.attempts) == (WHY.reason, WHY.traceback, 2)
        assert before <= letter.first_failed_at_ms <= between < letter.last_failed_at_ms <= now_ms()
        assert abs(buried.buried_at_ms - letter.last_failed_at_ms) <= 1_000
        assert (letter.replays, letter.quarantined) == (0, False)
        [earlier] = letter.earlier
        assert (earlier.attempt, earlier.replays, earlier.reason) == (1, 0, WHY.reason)
        assert before <= earlier.at_ms <= between

    def test_a_reason_and_a_traceback_are_kept_within_bounds(self, broker: Broker) -> None:
        [first] = self.delivered(broker, 1)
        broker.bury("cooks", "ada", first, type(WHY)("r" * 100_000, "begin" + "t" * 100_000 + "end"))

        [buried] = self.dead(broker)

        assert len(buried.letter.reason) <= 2_000
        assert len(buried.letter.traceback) <= 8_000
        assert buried.letter.traceback.endswith("end"), "the end says what was raised"

    def test_its_first_failure_and_its_replays_are_known_after_it_was_replayed(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        [first] = self.delivered(broker, 1)
        broker.bury("cooks", "ada", first, WHY)
        [once] = self.dead(broker)

        for replays in (1, 2):
            broker.replay(self.dead(broker))
            pass_time(0.005)
            [again] = broker.read_due("cooks", "sam", ["parcels"], 10)
            assert (again.attempt, again.replays) == (1, replays)
            broker.bury("cooks", "sam", again, WHY)

        [buried] = self.dead(broker)
        assert buried.letter.replays == 2
        assert buried.letter.first_failed_at_ms == once.letter.first_failed_at_ms
        assert buried.letter.last_failed_at_ms > once.letter.last_failed_at_ms
        assert buried.letter.offset == once.letter.offset
        assert [(failed.attempt, failed.replays) for failed in buried.letter.earlier] == [(1, 0), (1, 1)]

    def test_its_last_failures_are_kept_within_bounds_and_one_that_only_came_early_counts_once(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        [delivery] = self.delivered(broker, 1)
        for number in range(20):
            broker.retry("cooks", "ada", delivery, 0.0, Failure(f"{number} {'r' * 10_000}"), count=number > 5)
            pass_time(0.002)
            [delivery] = broker.read_due("cooks", "ada", ["parcels"], 10)
        broker.bury("cooks", "ada", delivery, WHY)

        [buried] = self.dead(broker)

        told = buried.letter.earlier
        assert [failed.reason.split()[0] for failed in told] == [str(number) for number in range(12, 20)]
        assert [failed.attempt for failed in told] == list(range(7, 15))
        assert all(len(failed.reason) <= 200 for failed in told)

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_whoever_goes_on_behind_a_letter_meets_the_rest_and_no_other(
        self, broker: Broker, newest_first: bool
    ) -> None:
        """Also where a message is dead in two groups, perhaps since the same millisecond."""
        for delivery in self.delivered(broker, 4):
            [also] = broker.read("waiters", "lin", ["parcels"], 1, 0)
            broker.bury("waiters", "lin", also, WHY)
            broker.bury("cooks", "ada", delivery, WHY)
        places = [(*WHERE, "waiters"), (*WHERE, "cooks")]
        pages = self.pages(broker, newest_first)
        everything = list(in_order_of_burial(pages, places, newest_first=newest_first))

        assert len({buried.cursor for buried in everything}) == 8
        for number, seen in enumerate(everything, 1):
            rest = in_order_of_burial(pages, places, newest_first=newest_first, past=seen.cursor)
            assert [buried.cursor for buried in rest] == [buried.cursor for buried in everything[number:]]

    def test_pages_follow_the_order_of_burial_from_both_ends(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        for delivery in self.delivered(broker, 7):
            broker.bury("cooks", "ada", delivery, WHY)
            pass_time(0.002)
        newest = [buried.letter.id for buried in self.dead(broker)]
        oldest = [buried.letter.id for buried in self.dead(broker, newest_first=False)]
        assert len(newest) == 7
        assert oldest == newest[::-1]

        assert self.walk(broker, newest_first=True) == newest
        assert self.walk(broker, newest_first=False) == oldest

    def test_what_is_moved_away_behind_a_page_does_not_disturb_the_next(self, broker: Broker) -> None:
        """All of one millisecond, perhaps: then the ids decide, and none is met twice or passed over."""
        for delivery in self.delivered(broker, 9):
            broker.bury("cooks", "ada", delivery, WHY)
        for newest_first in (True, False):
            met: list[str] = []
            for buried in in_order_of_burial(self.pages(broker, newest_first), [(*WHERE, "cooks")],
                                             newest_first=newest_first):  # fmt: skip
                met.append(buried.letter.id)
                assert broker.replay([buried]) == 1
            assert len(set(met)) == len(met) == 9
            for again in broker.read_due("cooks", "sam", ["parcels"], 100):
                broker.bury("cooks", "sam", again, WHY)

    def test_a_span_of_time_is_met_whole(self, broker: Broker, pass_time: Callable[[float], None]) -> None:
        for delivery in self.delivered(broker, 6):
            broker.bury("cooks", "ada", delivery, WHY)
            pass_time(0.002)
        _, second, third, fourth, fifth, _ = self.dead(broker, newest_first=False)

        for newest_first in (True, False):
            found = in_order_of_burial(
                self.pages(broker, newest_first), [(*WHERE, "cooks")], newest_first=newest_first,
                since_ms=second.buried_at_ms, before_ms=fifth.buried_at_ms,
            )  # fmt: skip
            assert sorted(b.mark for b in found) == [second.mark, third.mark, fourth.mark]

    def test_a_letter_that_failed_again_since_it_was_seen_is_left_alone(
        self, broker: Broker, pass_time: Callable[[float], None]
    ) -> None:
        [first] = self.delivered(broker, 1)
        broker.bury("cooks", "ada", first, WHY)
        seen = self.dead(broker)
        broker.replay(seen)
        pass_time(0.002)
        [again] = broker.read_due("cooks", "sam", ["parcels"], 10)
        broker.bury("cooks", "sam", again, WHY)

        assert broker.replay(seen) == 0
        assert broker.purge(seen) == 0
        assert [buried.letter.replays for buried in self.dead(broker)] == [1]

    def test_a_purged_letter_is_gone_and_counted(self, broker: Broker) -> None:
        one, two, three = self.delivered(broker, 3)
        broker.bury("cooks", "ada", one, WHY)
        broker.bury("cooks", "ada", two, WHY)
        broker.ack("cooks", "ada", [three])
        [unwanted] = [buried for buried in self.dead(broker) if buried.letter.id == one.message.id]

        assert broker.purge([unwanted]) == 1
        assert broker.purge([unwanted]) == 0
        assert broker.replay([unwanted]) == 0

        assert [buried.letter.id for buried in self.dead(broker)] == [two.message.id]
        assert self.tally(broker, "acked", "done", "dead", "purged") == [3, 1, 1, 1]
        assert broker.read_due("cooks", "ada", ["parcels"], 10) == []

    def test_a_quarantined_letter_is_counted_until_it_is_moved(self, broker: Broker) -> None:
        for delivery in self.delivered(broker, 3):
            broker.bury("cooks", "ada", delivery, WHY, quarantine=True)
        one, two, _ = self.dead(broker)
        assert one.letter.quarantined
        assert self.tally(broker, "dead", "quarantined") == [3, 3]

        broker.replay([one])
        broker.purge([two])

        assert self.tally(broker, "dead", "quarantined") == [1, 1]
        [again] = broker.read_due("cooks", "sam", ["parcels"], 10)
        broker.bury("cooks", "sam", again, WHY)
        assert self.tally(broker, "dead", "quarantined") == [2, 1]

    def test_nobody_is_dead_where_nobody_was_buried(self, broker: Broker) -> None:
        broker.read("cooks", "ada", ["parcels"], 10, 0)

        assert self.dead(broker) == []
        assert broker.dead_letter("cooks", *WHERE, "no-such-id") is None
        assert broker.dead_letters("cooks", *WHERE, past=Mark(1)) == []

    def test_purging_a_dead_head_lets_its_followers_go_on_in_order(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        head, *followers = self.delivered_in_order(broker, lease, 4)
        broker.bury_in_order("cooks", "ada", head, WHY, keep_blocked=True)
        broker.park("cooks", "ada", followers)
        assert self.tally(broker, "dead", "parked") == [1, 3]

        assert broker.purge(self.dead(broker)) == 1
        pass_time(0.005)
        going_on = broker.read_due_in_order("cooks", "ada", [lease], 10)

        assert [d.message for d in going_on] == [d.message for d in followers]
        broker.ack_in_order("cooks", "ada", going_on)
        assert self.tally(broker, "acked", "done", "dead", "parked", "delayed", "purged") == [4, 3, 0, 0, 0, 1]
        broker.produce([parcel()])
        assert not broker.read_in_order("cooks", "ada", [lease], 10, 0).blocked

    def test_purging_a_dead_head_without_followers_frees_its_key(self, broker: OrderedBroker, lease: Lease) -> None:
        [head] = self.delivered_in_order(broker, lease, 1)
        broker.bury_in_order("cooks", "ada", head, WHY, keep_blocked=True)
        broker.purge(self.dead(broker))
        broker.produce([parcel()])

        found = broker.read_in_order("cooks", "ada", [lease], 10, 0)

        assert not found.blocked
        assert broker.ack_in_order("cooks", "ada", found.deliveries) == 1

    def test_purging_one_that_let_its_key_go_on_does_not_release_a_later_head(
        self, broker: OrderedBroker, lease: Lease, pass_time: Callable[[float], None]
    ) -> None:
        released, head, follower = self.delivered_in_order(broker, lease, 3)
        broker.bury_in_order("cooks", "ada", released, WHY, keep_blocked=False)
        broker.retry_in_order("cooks", "ada", head, 60, WHY, count=True)
        broker.park("cooks", "ada", [follower])

        assert broker.purge(self.dead(broker)) == 1
        pass_time(0.005)

        assert broker.read_due_in_order("cooks", "ada", [lease], 10) == []
        assert self.tally(broker, "delayed", "parked", "purged") == [1, 1, 1]

    @staticmethod
    def dead(broker: Broker, *, newest_first: bool = True) -> list[Buried]:
        return broker.dead_letters("cooks", *WHERE, newest_first=newest_first)

    @staticmethod
    def pages(
        broker: Broker, newest_first: bool, *, size: int = 2
    ) -> Callable[[tuple[str, str, str], Mark | None], list[Buried]]:
        def page(place: tuple[str, str, str], past: Mark | None) -> list[Buried]:
            topic, partition, group = place
            return broker.dead_letters(group, topic, partition, past=past, newest_first=newest_first, limit=size)

        return page

    def walk(self, broker: Broker, *, newest_first: bool) -> list[str]:
        places = [("parcels", partition, "cooks") for partition in broker.partitions("parcels")]
        found = in_order_of_burial(self.pages(broker, newest_first), places, newest_first=newest_first)
        return [buried.letter.id for buried in found]

    @staticmethod
    def delivered(broker: Broker, count: int) -> list[Delivery]:
        broker.produce([parcel() for _ in range(count)])
        return broker.read("cooks", "ada", ["parcels"], 100, 0)

    @staticmethod
    def delivered_in_order(broker: OrderedBroker, lease: Lease, count: int) -> list[Delivery]:
        broker.produce([parcel() for _ in range(count)])
        return list(broker.read_in_order("cooks", "ada", [lease], 100, 0).deliveries)

    @staticmethod
    def tally(broker: Broker, *names: str) -> list[int]:
        rows = broker.stats({"cooks": ["parcels"]})
        return [sum(getattr(row, name) for row in rows) for name in names]
