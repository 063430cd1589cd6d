"""Series as Redis keeps them, read back: rings of records, and the counters of now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from queueing import keys
from queueing.series import KEPT_S, GroupTotals, LogTotals, Series, series_of

Place = tuple[str, str, str]  # topic, partition, group
WIDTH = 12  # digits of a number, as lua/series.lua writes it
T = TypeVar("T")
_LOG, _GROUP = 1 + len(LogTotals._fields), 1 + len(GroupTotals._fields)  # numbers of a record, its second the first


def read_series(client: Any, where: Sequence[Place], *, last_s: int, step_s: int = 1) -> dict[Place, Series]:
    """The last `last_s` seconds of each place, the present one included: the clock, then one pipeline.

    Raises:
        ValueError: nobody remembers that many seconds, or they are not so many whole steps.
    """
    now_s: int = client.time()[0]
    logs = list(dict.fromkeys((topic, partition) for topic, partition, _ in where))
    first, last = now_s - last_s + 1, now_s
    with client.pipeline(transaction=False) as pipe:
        # Rings before counters: what is counted in between belongs to the last second.
        for log in logs:
            _ask(pipe, keys.log_series(*log), _LOG, first, last)
            pipe.hget(keys.meta(*log), "appended")
        for place in where:
            _ask(pipe, keys.series(*place), _GROUP, first, last)
            pipe.hmget(keys.counters(*place), *GroupTotals._fields)
        replies = iter(pipe.execute())
    of_logs = {log: (_ring(replies, _LOG, first, last, LogTotals._make), next(replies)) for log in logs}
    found = {}
    for topic, partition, group in where:
        log_ring, appended = of_logs[topic, partition]
        group_ring, counters = _ring(replies, _GROUP, first, last, GroupTotals._make), next(replies)
        found[topic, partition, group] = series_of(
            log=log_ring,
            group=group_ring,
            now=(LogTotals(int(appended or 0)), GroupTotals(*(int(value or 0) for value in counters))),
            now_s=now_s,
            last_s=last_s,
            step_s=step_s,
        )
    return found


def _pieces(first: int, last: int) -> list[tuple[int, int]]:
    """Where the records of these seconds lie in the ring, in one piece or in two."""
    start, stop = first % KEPT_S, last % KEPT_S
    return [(start, stop)] if start <= stop else [(start, KEPT_S - 1), (0, stop)]


def _ask(pipe: Any, key: str, numbers: int, first: int, last: int) -> None:
    size = numbers * WIDTH
    for start, stop in _pieces(first, last):
        pipe.getrange(key, start * size, (stop + 1) * size - 1)


@dataclass(slots=True)
class _Ring(Generic[T]):
    """Records of the seconds from `first` on, read where they are asked for: an hour of 300 rings has a million."""

    data: bytes
    size: int
    first: int
    make: Callable[[Iterator[int]], T]

    def __len__(self) -> int:
        return len(self.data) // self.size

    def get(self, second: int, /) -> T | None:
        """None: nothing was counted in this second. A slot may still have a record of an hour ago, or of a clock that
        has jumped back since."""
        at = (second - self.first) * self.size
        if self.data[at : at + WIDTH] != b"%012d" % second:
            return None
        return self.make(int(self.data[start : start + WIDTH]) for start in range(at + WIDTH, at + self.size, WIDTH))


def _ring(
    replies: Iterator[bytes], numbers: int, first: int, last: int, make: Callable[[Iterator[int]], T]
) -> _Ring[T]:
    size = numbers * WIDTH
    pieces = _pieces(first, last)
    told = list(islice(replies, len(pieces)))
    whole = [piece.ljust((stop - start + 1) * size, b"\0") for (start, stop), piece in zip(pieces, told, strict=True)]
    return _Ring(b"".join(whole) if any(told) else b"", size, first, make)
