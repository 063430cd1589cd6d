from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import redis
from django.contrib.auth import get_user_model

from queueing import keys

HOUR_MS = 3_600_000


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """An empty Redis number of this test worker's own."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def gate_key() -> str:
    return f"gate:{keys.tag('orders.placed', '7')}"


@pytest.fixture
def open_sale(valkey: redis.Redis, gate_key: str) -> Callable[..., int]:
    """Sale 7 of copper kettles, open for this hour and the next, unless told otherwise.

    Written as the gate's fields are documented: orders knows inventory's gate through one module only.
    """

    def open_it(
        *, stock: int = 10, limit: int = 5, starts: int = -HOUR_MS, ends: int = HOUR_MS, **room: str | int
    ) -> int:
        seconds, _ = valkey.time()
        valkey.hset(
            gate_key,
            mapping={
                "stock": stock,
                "initial": stock,
                "price_cents": 1999,
                "starts_at_ms": seconds * 1000 + starts,
                "ends_at_ms": seconds * 1000 + ends,
                "per_user_limit": limit,
                **({"turns_per_s": 100, "turn_s": 60, "seed": "1,2,3,4,5,6"} | room if room else {}),
                "capacity": 1000,
                "epoch": 1,
                "seq": 0,
                "open": 1,
            },
        )
        return 7

    return open_it


@pytest.fixture
def anna(db):
    return get_user_model().objects.create_user("anna")


@pytest.fixture
def boris(db):
    return get_user_model().objects.create_user("boris")
