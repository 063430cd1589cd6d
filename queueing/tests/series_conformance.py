"""What every broker tells of its last hour, second by second, and what it makes of that for a producer it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queueing.broker import END, Broker, Failure
from queueing.errors import TopicFull
from queueing.message import Message, new_id
from queueing.series import Series

WHY = Failure("the oven is cold", "Traceback …")


def parcel(key: str = "lin", *, topic: str = "parcels", deliver_at_ms: int = 0) -> Message:
    return Message(new_id(), topic, key, "tests.Parcel", 1, b"{}", 1_700_000_000_000, {}, deliver_at_ms)


def totals(series: Series) -> dict[str, int]:
    return {
        "produced": sum(series.produced),
        "acked": sum(series.acked),
        "retried": sum(series.retried),
        "buried": sum(series.buried),
        "lag": series.lag[-1],
    }


class SeriesConformance:
    """Inherit, and offer the fixtures `broker`, `pass_time(seconds)` and `now_ms()`, all on the broker's own clock."""

    def test_nothing_happened_in_a_topic_nobody_uses(self, broker: Broker) -> None:
        for topic in ("parcels", "per.sale"):
            series = broker.series("cooks", topic, 5)
            assert totals(series) == {"produced": 0, "acked": 0, "retried": 0, "buried": 0, "lag": 0}
            assert len(series) == 5

    def test_the_sums_of_a_series_are_the_counters(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        """In the log, retried, dead, early, and delayed: whatever moves a counter is in the series."""
        broker.produce([parcel(str(n)) for n in range(12)])
        broker.produce([parcel("later", deliver_at_ms=now_ms() + 5)])
        one, two, three, *others = broker.read("cooks", "ada", ["parcels"], 20, 0)
        assert broker.retry("cooks", "ada", one, 0, WHY, count=True)
        assert broker.retry("cooks", "ada", two, 9, WHY, count=False), "early, which is no failure"
        assert broker.bury("cooks", "ada", three, WHY)
        broker.ack("cooks", "ada", others[:4])
        broker.ack("cooks", "sam", others[4:])  # not theirs: counts nothing
        pass_time(0.01)
        broker.promote(["parcels"])
        [again] = broker.read_due("cooks", "ada", ["parcels"], 20)
        assert broker.retry("cooks", "ada", again, 9, WHY, count=True)

        series = broker.series("cooks", "parcels", 60)

        assert totals(series) == {"produced": 13, "acked": 7, "retried": 2, "buried": 1, "lag": 6}
        rows = broker.stats({"cooks": ["parcels"]})
        assert totals(series) == {
            "produced": sum(row.appended for row in rows),
            "acked": sum(row.acked for row in rows),
            "retried": sum(row.retried for row in rows),
            "buried": sum(row.buried for row in rows),
            "lag": sum(row.lag for row in rows),
        }

    def test_what_happened_stands_in_its_second(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        def next_second() -> int:
            pass_time((1000 - now_ms() % 1000) / 1000 + 0.002)
            return now_ms() // 1000

        first = next_second()
        broker.produce([parcel() for _ in range(5)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["parcels"], 2, 0))
        second = next_second()
        broker.produce([parcel() for _ in range(3)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["parcels"], 4, 0))

        series = broker.series("cooks", "parcels", 4)

        at = first - series.first_s
        assert second == first + 1
        assert (series.produced[at : at + 2], series.acked[at : at + 2]) == ([5, 3], [2, 4])
        assert series.lag[at : at + 2] == [3, 2], "at the end of each second"
        assert sum(series.produced[:at]) == 0

    def test_a_group_that_is_moved_has_its_lag_of_before_in_the_past(self, broker: Broker) -> None:
        broker.produce([parcel() for _ in range(5)])
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["parcels"], 1, 0))
        for partition in broker.partitions("parcels"):
            broker.seek("cooks", "parcels", partition, END)

        series = broker.series("cooks", "parcels", 3)

        assert (series.lag[-1], sum(series.produced), sum(series.acked)) == (0, 5, 1)

    def test_more_than_an_hour_is_not_asked_for(self, broker: Broker) -> None:
        assert len(broker.series("cooks", "parcels", 3_600)) == 3_600
        for seconds in (0, 3_601):
            with pytest.raises(ValueError, match="1 to 3600"):
                broker.series("cooks", "parcels", seconds)

    def test_a_full_topic_says_how_soon_its_gate_group_will_have_made_room(
        self, broker: Broker, now_ms: Callable[[], int], pass_time: Callable[[float], None]
    ) -> None:
        """Five of capacity, two were acknowledged within the second: half a message of room takes a second at least."""
        broker.produce([parcel("sale-7", topic="per.sale") for _ in range(5)])
        with pytest.raises(TopicFull, match=r"0.0/s are worked off; retry after 30.0 s") as stuck:
            broker.produce([parcel("sale-7", topic="per.sale")])
        assert stuck.value.retry_after == 30.0, "nobody works: ask again later"

        pass_time((1000 - now_ms() % 1000) / 1000)
        broker.ack("cooks", "ada", broker.read("cooks", "ada", ["per.sale"], 2, 0))
        broker.produce([parcel("sale-7", topic="per.sale") for _ in range(2)])
        with pytest.raises(TopicFull, match=r"lag 5 of 5, 2.0/s are worked off") as busy:
            broker.produce([parcel("sale-7", topic="per.sale")])
        assert busy.value.retry_after == 1.0
