"""Rows of the fast lane: over HTTP against servers that do nothing, and without HTTP against its own script.

Everything is on: pass, key, the full script, signed token, each write on disk before its reply. Distinct shoppers, no
consumers. The web worker has a core of its own; the crowd shares the other one with Valkey.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count

from benchmarks.lane.crowd import storm
from benchmarks.lane.scripts import bare
from benchmarks.lane.served import served
from benchmarks.lane.wishes import wishes
from benchmarks.row import Row, rates
from inventory import gate

PAIRS = 5
ADMISSIONS, EMPTY, NINJA = 40_960, 81_920, 8_192
CONNECTIONS, PIPELINED = 256, 16
LANE, NULL, USUAL = (
    "config.asgi:application",
    "benchmarks.lane.null:application",
    "benchmarks.lane.ninja_peer:application",
)

_sales = count(1_000_000)  # one a run: nothing has to be emptied in between


def rows(redis_url: str, *, scale: float = 1.0, pairs: int = PAIRS) -> Iterator[Row]:
    """Needs Django set up, and the same Redis in the settings."""
    orders, empty, few = (int(number * scale) for number in (ADMISSIONS, EMPTY, NINJA))
    # nginx keeps the limits in front; here they would be what is measured.
    with served(LANE, REDIS_URL=redis_url, GATEWAY="nginx") as lane, served(NULL) as null, served(USUAL) as usual:

        def admitted(number: int, pipelined: int = PIPELINED) -> float:
            return _storm(lane, number, "202", stock=number, pipelined=pipelined)

        def answered(port: int, number: int, pipelined: int = PIPELINED) -> float:
            return _storm(port, number, "202", pipelined=pipelined)

        ours, theirs = rates(lambda: admitted(orders), lambda: answered(null, empty), pairs=pairs)
        yield Row("admitted over HTTP, 256 by 16", "requests/s", ours, "null ASGI app, same server", theirs, 0.4)
        ours, theirs = rates(lambda: admitted(orders), lambda: answered(usual, few), pairs=pairs)
        yield Row("admitted over HTTP, 256 by 16", "requests/s", ours, "django-ninja async no-op", theirs, 15)
        ours, theirs = rates(lambda: admitted(orders // 2, 1), lambda: answered(usual, few // 2, 1), pairs=pairs)
        yield Row("the same, not pipelined", "requests/s", ours, "django-ninja async no-op", theirs, 10)
        ours, theirs = rates(lambda: _storm(lane, empty, "200", stock=0), lambda: answered(null, empty), pairs=pairs)
        yield Row("sold out, pass checked", "requests/s", ours, "null ASGI app, same server", theirs, 0.8)
    ours, theirs = rates(lambda: _in_python(orders), lambda: bare(redis_url, orders, _open(orders)), pairs=pairs)
    yield Row("admitted without HTTP, by 128", "orders/s", ours, "its script over a raw socket", theirs, 0.75)


def _open(stock: int) -> int:
    sale, now_ms = next(_sales), time.time_ns() // 1_000_000
    terms = gate.Terms(price_cents=1999, starts_at_ms=now_ms - 10_000, ends_at_ms=now_ms + 3_600_000, per_user_limit=1)
    gate.open_gate(sale_id=sale, terms=terms, stock=stock, epoch=1)
    return sale


def _storm(port: int, number: int, status: str, *, stock: int = 0, pipelined: int = PIPELINED) -> float:
    requests = wishes(number, sale=_open(stock), port=port)
    per_second, told = storm(port, requests, connections=CONNECTIONS, pipelined=pipelined)
    assert told == {status: number}, f"{number} asked and were told {told}"
    return per_second


def _in_python(number: int) -> float:
    """gate.admit and nothing around it, 128 at a time."""
    sale = _open(number)

    async def one_after_the_other(users: range) -> None:
        for user in users:
            decision = await gate.admit(sale_id=sale, user_id=user, idempotency_key=f"key-of-{user}", quantity=1)
            assert decision.outcome == "admitted"

    async def all_of_them() -> float:
        share = -(-number // 256)  # 128 fly while 128 get ready
        started = time.perf_counter()
        try:
            await asyncio.gather(
                *(one_after_the_other(range(at, min(at + share, number + 1))) for at in range(1, number + 1, share))
            )
            return number / (time.perf_counter() - started)
        finally:
            await gate.aclose()

    return asyncio.run(all_of_them())
