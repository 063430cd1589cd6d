"""What happened in each of the last seconds, from the records that brokers keep beside their counters.

A record says where the counters stood when a second began to count (see brokers/lua/series.lua).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeVar

import msgspec

KEPT_S = 3_600

T = TypeVar("T")


Records = TypeVar("Records", covariant=True)


class BySecond(Protocol[Records]):
    """Records by their second: a dict is one."""

    def __len__(self) -> int: ...

    def get(self, second: int, /) -> Records | None: ...


class LogTotals(NamedTuple):
    appended: int = 0


class GroupTotals(NamedTuple):
    acked: int = 0
    skipped: int = 0
    retried: int = 0
    buried: int = 0


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as one group sees it, step by step. The last step is still counting.

    first_s: the second with which the first step begins, since 1970 on the broker's clock. step_s: seconds of a step.
    produced, acked, retried, buried: in each step. lag: messages, at the end of each step.
    """

    first_s: int
    produced: list[int]
    acked: list[int]
    retried: list[int]  # failed, and set aside to come again
    buried: list[int]
    lag: list[int]
    step_s: int = 1

    def __len__(self) -> int:
        return len(self.lag)


def series_of(
    *,
    log: BySecond[LogTotals],
    group: BySecond[GroupTotals],
    now: tuple[LogTotals, GroupTotals],
    now_s: int,
    last_s: int,
    step_s: int = 1,
) -> Series:
    """log, group: records. now: the counters. last_s: how many seconds, the present one included.

    Raises:
        ValueError: nobody remembers that many seconds, or they are not so many whole steps.
    """
    if not 1 <= last_s <= KEPT_S:
        raise ValueError(f"a series of {last_s} seconds; it has 1 to {KEPT_S}")
    if last_s % step_s:
        raise ValueError(f"{last_s} seconds are no whole steps of {step_s}")
    first = now_s - last_s + 1
    appended = [one.appended for one in _standing(log, now[0], first, now_s, step_s)]
    totals = _standing(group, now[1], first, now_s, step_s)
    acked = [one.acked for one in totals]
    return Series(
        first_s=first,
        step_s=step_s,
        produced=_differences(appended),
        acked=_differences(acked),
        retried=_differences([one.retried for one in totals]),
        buried=_differences([one.buried for one in totals]),
        lag=[max(0, appended[n] - acked[n] - totals[n].skipped) for n in range(1, len(appended))],
    )


def quiet(*, now_s: int, last_s: int) -> Series:
    """Nothing happened."""
    return series_of(log={}, group={}, now=(LogTotals(), GroupTotals()), now_s=now_s, last_s=last_s)


def added_up(many: Sequence[Series]) -> Series:
    """Of the same steps, at least one: several partitions, topics or groups as one."""
    columns = {
        name: [sum(values) for values in zip(*(getattr(one, name) for one in many), strict=True)]
        for name in ("produced", "acked", "retried", "buried", "lag")
    }
    return Series(first_s=many[0].first_s, step_s=many[0].step_s, **columns)


def _standing(records: BySecond[T], now: T, first: int, last: int, step: int) -> list[T]:
    """Where the counters stood at the start of each step, and now: at the first record from there on."""
    if not records:
        return [now] * ((last - first + 1) // step + 1)
    found = [now]
    for start in range(last - step + 1, first - 1, -step):
        seen = (records.get(second) for second in range(start, start + step))
        found.append(next((record for record in seen if record is not None), found[-1]))
    return found[::-1]


def _differences(totals: Sequence[int]) -> list[int]:
    """Never negative: a clock that jumped back leaves records of a later second that stood lower."""
    return [max(0, after - before) for before, after in pairwise(totals)]
