"""One group partition by partition: where its lag is, and who works on it."""

from __future__ import annotations

import msgspec

from queueing.brokers.redis_stats import read_stats
from queueing.console import words
from queueing.console.knowing import places
from queueing.console.levels import Level, level
from queueing.console.link import client
from queueing.console.plain import visible
from queueing.console.snapshot import Group

COLUMNS = ("Lag", "Oldest", "In flight", "Delayed", "Parked", "Dead", "Appended", "Acked", "In the hands of")
MOST = 256  # the furthest behind: more rows are no table any more


class PartitionRow(msgspec.Struct, frozen=True, kw_only=True):
    """cells: under COLUMNS, with the level and its word."""

    topic: str
    partition: str
    cells: list[tuple[str, Level, str]]


class Partitions(msgspec.Struct, frozen=True, kw_only=True):
    """left_out: how many have no row, because MOST others are further behind."""

    rows: list[PartitionRow]
    left_out: int


def partitions(group: Group) -> Partitions:
    """In the topic's own order, unless there are more than MOST.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    stats = read_stats(client(), [place for place in places() if place[2] == group.group])
    shown = sorted(stats, key=lambda row: row.lag + row.dead, reverse=True)[:MOST] if len(stats) > MOST else stats
    rows = []
    for row in shown:
        holders = sorted({*row.in_hands, *_leased(group, f"{row.topic}/{row.partition}")})
        numbers = (
            ("lag", row.lag, words.count),
            ("oldest_age_ms", row.oldest_age_ms, words.span_ms),
            ("in_flight", row.in_flight, words.count),
            ("delayed", row.delayed, words.count),
            ("parked", row.parked, words.count),
            ("dead", row.dead, words.count),
            ("appended", row.appended - row.skipped, words.count),
            ("acked", row.acked, words.count),
        )
        cells = [(text(value), *level(name, value)) for name, value, text in numbers]
        who = visible(", ".join(holders[:2])) + (f" and {len(holders) - 2} more" if len(holders) > 2 else "")
        rows.append(PartitionRow(topic=row.topic, partition=row.partition, cells=[*cells, (who, "", "")]))
    return Partitions(rows=rows, left_out=len(stats) - len(shown))


def _leased(group: Group, partition: str) -> list[str]:
    return [consumer.name for consumer in group.consumers if group.ordered and partition in consumer.partitions]
