"""What all web processes counted, read back from Redis: sums of each second."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from config.traffic import keys
from config.traffic.second import Second

REQUESTS, ANSWERED, FETCHED = GATEWAY = ("requests", "answered", "fetched")
UNKNOWN = "unknown"  # seconds of which the gateway could not tell what it answered itself
TIMES_KEPT_S = 30
_decode = msgspec.msgpack.Decoder(Second).decode


class Moment(msgspec.Struct):
    """One second, or several: counts by name, and the answers' times by bucket (orders/histogram.py)."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    took: Counter[int] = msgspec.field(default_factory=Counter)
    took_admitted: Counter[int] = msgspec.field(default_factory=Counter)

    def add(self, other: Second | Moment) -> None:
        for mine, theirs in (
            (self.counts, other.counts),
            (self.took, other.took),
            (self.took_admitted, other.took_admitted),
        ):
            for name, number in theirs.items():
                mine[name] += number  # type: ignore[index]


def read_seconds(client: Any, *, first_s: int, last_s: int) -> dict[int, Moment]:
    """Second → what was counted in it, from the first to the last, both included.

    One that is missing had nothing to count, or nobody has told yet. Those longer ago than TIMES_KEPT_S come without
    the answers' times: nobody asks for them, and an hour of a crowd's are millions.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with client.pipeline(transaction=False) as pipe:
        for minute_s in range(first_s // 60 * 60, last_s + 1, 60):
            pipe.hgetall(keys.minute(minute_s))
        minutes = pipe.execute()
    found: dict[int, Moment] = defaultdict(Moment)
    for fields in minutes:
        for field, record in fields.items():
            second, _, who = field.decode().partition(":")
            if first_s <= int(second) <= last_s and record:
                if who.endswith(":gateway"):
                    _add_gateway(found[int(second)].counts, record.decode())
                else:
                    moment, told = found[int(second)], _decode(record)
                    if int(second) > last_s - TIMES_KEPT_S:
                        moment.add(told)
                    else:
                        moment.counts.update(told.counts)
    return dict(found)


def read_totals(client: Any) -> dict[str, int]:
    """Everything ever, by name.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return {name.decode(): int(number) for name, number in client.hgetall(keys.TOTALS).items()}


def _add_gateway(counts: Counter[str], record: str) -> None:
    for name, number in zip(GATEWAY, record.split(" "), strict=True):
        if number == UNKNOWN:
            counts[UNKNOWN] += 1
        else:
            counts[name] += int(number)
