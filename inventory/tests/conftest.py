from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from inventory import gate
from inventory.gate import Terms

HOUR_MS = 3_600_000


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """An empty Redis number of this test worker's own."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def now_ms(valkey: redis.Redis) -> int:
    seconds, microseconds = valkey.time()
    return seconds * 1000 + microseconds // 1000


@pytest.fixture
def open_sale(now_ms: int) -> Callable[..., int]:
    """Open sale 7 for this hour and the next, unless told otherwise."""

    def open_it(
        *, stock: int = 10, limit: int = 5, starts: int = -HOUR_MS, ends: int = HOUR_MS, price: int = 1999, **room: Any
    ) -> int:
        window = {"starts_at_ms": now_ms + starts, "ends_at_ms": now_ms + ends}
        terms = Terms(price_cents=price, per_user_limit=limit, **window, **room)
        gate.open_gate(sale_id=7, terms=terms, stock=stock, epoch=1)
        return 7

    return open_it
