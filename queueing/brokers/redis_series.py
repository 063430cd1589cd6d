"""Series as Redis keeps them, read back: rings of records, and the counters of now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from queueing import keys
from queueing.series import KEPT_S, GroupTotals, LogTotals, Series, series_of

Place = tuple[str, str, str]  # topic, partition, group
WIDTH = 12  # digits of a number, as lua/series.lua writes it
_LOG, _GROUP = 1 + len(LogTotals._fields), 1 + len(GroupTotals._fields)  # numbers of a record, its second the first


def read_series(client: Any, where: Sequence[Place], *, last_s: int) -> dict[Place, Series]:
    """The last `last_s` seconds of each place, the present one included: the clock, then one pipeline.

    Raises:
        ValueError: nobody remembers that many seconds.
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
    of_logs = {log: (_records(replies, _LOG, first, last), next(replies)) for log in logs}
    found = {}
    for topic, partition, group in where:
        log_records, appended = of_logs[topic, partition]
        group_records, counters = _records(replies, _GROUP, first, last), next(replies)
        found[topic, partition, group] = series_of(
            log={second: LogTotals(*values) for second, *values in log_records},
            group={second: GroupTotals(*values) for second, *values in group_records},
            now=(LogTotals(int(appended or 0)), GroupTotals(*(int(value or 0) for value in counters))),
            now_s=now_s,
            last_s=last_s,
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


def _records(replies: Iterator[bytes], numbers: int, first: int, last: int) -> list[list[int]]:
    """Those of the seconds asked for; others in the ring are an hour old or more."""
    found, size = [], numbers * WIDTH
    for ring in islice(replies, len(_pieces(first, last))):
        for at in range(0, len(ring) - size + 1, size):
            if ring[at]:  # zero bytes: no record was ever written here
                found.append([int(ring[from_ : from_ + WIDTH]) for from_ in range(at, at + size, WIDTH)])
    return [record for record in found if first <= record[0] <= last]
