"""The last minutes of every group, second by second: what the page's chart begins with."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from queueing.brokers.redis_series import read_series
from queueing.console.link import client
from queueing.console.rates import ALL
from queueing.console.sampling import places
from queueing.series import Series, added_up

LAST_S = 300


class History(msgspec.Struct, frozen=True):
    """lines: group (and ALL) → lag, produced/s and consumed/s of each second from `first_s` on."""

    first_s: int
    lines: dict[str, tuple[list[int], list[int], list[int]]]


def read_history(*, last_s: int = LAST_S) -> History:
    """The last whole seconds.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found: dict[str, list[Series]] = defaultdict(list)
    for (_, _, group), series in read_series(client(), places(), last_s=last_s + 1).items():
        found[group].append(series)
    by_group = {group: added_up(many) for group, many in found.items()}
    if not by_group:
        return History(0, {})
    by_group[ALL] = added_up(list(by_group.values()))
    return History(
        by_group[ALL].first_s,
        {
            group: (series.lag[:-1], series.produced[:-1], series.acked[:-1])  # the last second still counts
            for group, series in sorted(by_group.items())
        },
    )
