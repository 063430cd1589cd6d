"""The gate while Redis is full, hangs or restarts: nothing is half done, nobody waits long, it goes on by itself."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.contrib.auth import get_user_model
from django.test import Client

from config.stack.valkey import Valkey
from inventory import gate, keys
from inventory.gate import Decision, GateUnavailable, Movement, Terms
from orders.tests.support import pass_for

HOUR_MS = 3_600_000


@pytest.fixture
def server(tmp_path: Path, settings) -> Iterator[Valkey]:
    """A Valkey of this test's own, durable, with sale 7 open for ten units."""
    server = Valkey(tmp_path / "valkey")
    server.start()
    settings.REDIS_URL = server.url
    now_ms = time.time_ns() // 1_000_000
    gate.open_gate(sale_id=7, terms=Terms(1999, now_ms - HOUR_MS, now_ms + HOUR_MS, 5), stock=10, epoch=1)
    yield server
    if server.process is not None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()


@pytest.fixture
def valkey(server: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def admit(request) -> Iterator[Callable[..., Decision]]:
    """Both ways to ask. The async one keeps its event loop, and so its connections, for the whole test."""
    if request.param == "sync":
        yield gate.admit_sync
        return
    with asyncio.Runner() as runner:
        yield lambda **purchase: runner.run(gate.admit(**purchase))
        runner.run(gate.aclose())


def purchase(user_id: int, key: str = "first-try") -> dict:
    return {"sale_id": 7, "user_id": user_id, "idempotency_key": key, "quantity": 1}


def dump(valkey: redis.Redis) -> dict:
    read = {"hash": valkey.hgetall, "stream": valkey.xrange, "set": valkey.smembers}
    return {key: read[valkey.type(key)](key) for key in sorted(valkey.keys("*7*"))}


def test_a_full_redis_refuses_whole_orders_and_still_takes_returns_in(valkey: redis.Redis):
    """Without the script's first line the deduction would stay and the order be missing."""
    gate.admit_sync(**purchase(1))
    before = dump(valkey)
    valkey.config_set("maxmemory", "1mb")

    with pytest.raises(GateUnavailable):
        gate.admit_sync(**purchase(2))
    assert dump(valkey) == before

    assert gate.apply_movements(sale_id=7, movements=[Movement(1, 1, 1)]) == [True]
    assert gate.read_state(7).stock == 10

    valkey.config_set("maxmemory", "0")
    assert gate.admit_sync(**purchase(2)).outcome == "admitted"


def test_a_hanging_redis_is_given_up_within_a_second_and_its_late_reply_reaches_nobody(
    server: Valkey, valkey: redis.Redis, admit: Callable
):
    admit(**purchase(1))
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()

    with pytest.raises(GateUnavailable):
        admit(**purchase(2))

    assert time.monotonic() - started < 1.1
    server.process.send_signal(signal.SIGCONT)
    # What was asked is unknown; asking again with its key gives one order, and each caller gets an own answer.
    answers = {user: json.loads(admit(**purchase(user)).body) for user in (3, 2, 2, 1)}
    assert {user: answer["user_id"] for user, answer in answers.items()} == {1: 1, 2: 2, 3: 3}
    assert gate.read_state(7).stock == 7
    assert valkey.xlen(keys.log(7)) == 3


def test_a_restarted_redis_goes_on_where_it_was(server: Valkey, admit: Callable):
    before = admit(**purchase(1))
    server.stop()

    started = time.monotonic()
    with pytest.raises(GateUnavailable):
        admit(**purchase(2))
    assert time.monotonic() - started < 1.1

    server.start()
    assert admit(**purchase(1)).body == before.body
    assert admit(**purchase(2)).outcome == "admitted"
    assert gate.read_state(7).stock == 8


def test_killed_by_sigkill_redis_forgets_no_admission(server: Valkey):
    before = [gate.admit_sync(**purchase(user)).body for user in range(5)]
    server.process.kill()
    server.process.wait()

    server.start()

    assert [gate.admit_sync(**purchase(user)).body for user in range(5)] == before
    assert gate.read_state(7).stock == 5


@pytest.mark.django_db
def test_the_shop_answers_503_within_a_second_while_redis_hangs(server: Valkey):
    client = Client()
    client.force_login(get_user_model().objects.create_user("anna"))
    server.process.send_signal(signal.SIGSTOP)

    started = time.monotonic()
    response = client.post(
        "/api/sales/7/orders",
        '{"quantity": 1}',
        content_type="application/json",
        headers={"Idempotency-Key": "first-try", "Sale-Pass": pass_for(client)},
    )

    assert time.monotonic() - started < 1.5
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert response["Retry-After"]
