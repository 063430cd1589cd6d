"""What happened in each of the last seconds, from the records that brokers keep beside their counters.

A record says where the counters stood when a second began to count (see brokers/lua/series.lua).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec

KEPT_S = 3_600

T = TypeVar("T")


class LogTotals(NamedTuple):
    appended: int = 0


class GroupTotals(NamedTuple):
    acked: int = 0
    skipped: int = 0
    retried: int = 0
    buried: int = 0


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as one group sees it, second by second. The last second is still counting.

    lag: messages, at the end of each second.
    """

    first_s: int  # since 1970, on the broker's clock
    produced: list[int]
    acked: list[int]
    retried: list[int]  # failed, and set aside to come again
    buried: list[int]
    lag: list[int]

    def __len__(self) -> int:
        return len(self.lag)


def series_of(
    *,
    log: Mapping[int, LogTotals],
    group: Mapping[int, GroupTotals],
    now: tuple[LogTotals, GroupTotals],
    now_s: int,
    last_s: int,
) -> Series:
    """log, group: records by their second. now: the counters. last_s: how many seconds, the present one included.

    Raises:
        ValueError: nobody remembers that many seconds.
    """
    if not 1 <= last_s <= KEPT_S:
        raise ValueError(f"a series of {last_s} seconds; it has 1 to {KEPT_S}")
    first = now_s - last_s + 1
    appended = [one.appended for one in _standing(log, now[0], first, now_s)]
    totals = _standing(group, now[1], first, now_s)
    acked = [one.acked for one in totals]
    return Series(
        first_s=first,
        produced=_differences(appended),
        acked=_differences(acked),
        retried=_differences([one.retried for one in totals]),
        buried=_differences([one.buried for one in totals]),
        lag=[max(0, appended[n] - acked[n] - totals[n].skipped) for n in range(1, last_s + 1)],
    )


def quiet(*, now_s: int, last_s: int) -> Series:
    """Nothing happened."""
    return series_of(log={}, group={}, now=(LogTotals(), GroupTotals()), now_s=now_s, last_s=last_s)


def added_up(many: Sequence[Series]) -> Series:
    """Of the same seconds, at least one: several partitions, topics or groups as one."""
    columns = {
        name: [sum(values) for values in zip(*(getattr(one, name) for one in many), strict=True)]
        for name in ("produced", "acked", "retried", "buried", "lag")
    }
    return Series(first_s=many[0].first_s, **columns)


def _standing(records: Mapping[int, T], now: T, first: int, last: int) -> list[T]:
    """Where the counters stood at the start of each second, and now."""
    found = [now]
    for second in range(last, first - 1, -1):
        found.append(records.get(second, found[-1]))
    return found[::-1]


def _differences(totals: Sequence[int]) -> list[int]:
    """Never negative: a clock that jumped back leaves records of a later second that stood lower."""
    return [max(0, after - before) for before, after in pairwise(totals)]
