"""Counters of all partitions, without asking again for those of sales that are long over.

Each sale has a partition of its own, and a house that has had a thousand sales would pay for all of them each second. A
log in which nothing waits anywhere has the counters it had, until something is appended to it: that is one number to
look at. What else can change them, as a reset does, is noticed when its turn comes to be read in full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from queueing import keys
from queueing.broker import GroupStats
from queueing.brokers.redis_stats import read_stats_at
from queueing.console.knowing import Place

LOOKED_AT = 500  # resting logs a sample; of more than these, each has its turn
READ_AGAIN = 20

Log = tuple[str, str]  # topic, partition


class Counters:
    """One of a process; its caller lets one thread in at a time."""

    def __init__(self) -> None:
        self._resting: dict[Log, dict[Place, GroupStats]] = {}
        self._turns: deque[Log] = deque()
        self._next = 0

    def read(self, client: Any, places: Sequence[Place]) -> tuple[int, list[GroupStats]]:
        """The moment (ms, on Redis's clock), and a row for each place.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        self._wake(client, places)
        awake = [place for place in places if place not in self._resting.get(place[:2], {})]
        now_ms, rows = read_stats_at(client, awake)
        found = dict(zip(awake, rows, strict=True))
        for place in places:
            if place not in found:
                found[place] = self._resting[place[:2]][place]
        self._let_rest(found)
        return now_ms, [found[place] for place in places]

    def _wake(self, client: Any, places: Sequence[Place]) -> None:
        """Those to which something was appended, and a few whose turn it is."""
        there = {place[:2] for place in places}
        turns = [log for log in self._turns if log in self._resting and log in there]
        for log in turns[:READ_AGAIN]:
            del self._resting[log]
        self._turns = deque(turns[READ_AGAIN:])
        self._next = self._next % len(self._turns) if len(self._turns) > LOOKED_AT else 0
        looked_at = list(islice(cycle(self._turns), self._next, self._next + min(LOOKED_AT, len(self._turns))))
        self._next += LOOKED_AT
        with client.pipeline(transaction=False) as pipe:
            for log in looked_at:
                pipe.hget(keys.meta(*log), "appended")
            told = pipe.execute()
        for log, appended in zip(looked_at, told, strict=True):
            if int(appended or 0) != next(iter(self._resting[log].values())).appended:
                del self._resting[log]

    def _let_rest(self, found: dict[Place, GroupStats]) -> None:
        by_log: dict[Log, dict[Place, GroupStats]] = {}
        for place, row in found.items():
            by_log.setdefault(place[:2], {})[place] = row
        for log, rows in by_log.items():
            if log not in self._resting and all(map(_rests, rows.values())):
                self._resting[log] = rows
                self._turns.append(log)


def _rests(row: GroupStats) -> bool:
    return not (row.lag or row.in_flight or row.delayed or row.later or row.parked or row.dead)
