"""The gate while Redis is full, hangs or restarts: nothing is half done, nobody waits long, it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth import get_user_model
from django.test import Client

from config.stack.valkey import Valkey
from inventory import approval, gate, keys
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


def approve(server: Valkey) -> None:
    """As config/recovery does when it has compared this Redis's data with PostgreSQL's."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.set(keys.APPROVED, client.info("server")["run_id"])


def dump(valkey: redis.Redis) -> dict:
    read = {"hash": valkey.hgetall, "stream": valkey.xrange, "set": valkey.smembers, "string": valkey.dump}
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

    assert time.monotonic() - started < 2.0
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
    assert time.monotonic() - started < 2.0

    server.start()
    with pytest.raises(GateUnavailable, match="began a new life"):
        admit(**purchase(2))
    approve(server)
    assert admit(**purchase(1)).body == before.body
    assert admit(**purchase(2)).outcome == "admitted"
    assert gate.read_state(7).stock == 8


def in_a_loop(story: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def told() -> Any:
        try:
            return await story()
        finally:
            await gate.aclose()

    return asyncio.run(told())


async def crowd(*users: int) -> list[Any]:
    return await asyncio.gather(*(gate.admit(**purchase(user)) for user in users), return_exceptions=True)


def test_a_crowd_at_a_hanging_redis_is_answered_within_a_second_and_does_not_pile_up(server: Valkey):
    async def story() -> tuple[list[Any], float]:
        await crowd(1)
        server.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        return await crowd(*range(6_000)), time.monotonic() - started

    answers, took = in_a_loop(story)

    assert {type(answer) for answer in answers} == {GateUnavailable}
    assert took < 4  # of which 0.9 s are the wait, and the rest is Python waking 6,000


def test_a_connection_cut_in_flight_leaves_all_unknown_and_their_keys_find_their_orders(valkey: redis.Redis):
    """Whether their script ran before, after or never: the retry finds the one order of its key."""

    async def story() -> tuple[list[Any], list[Any]]:
        await crowd(100)
        valkey.execute_command("CLIENT", "PAUSE", "10000", "WRITE")  # the script arrives, and waits to be run
        asked = asyncio.ensure_future(crowd(*range(5)))
        await asyncio.sleep(0.1)
        valkey.client_kill_filter(_type="normal", skipme=True)
        cut = await asked
        valkey.execute_command("CLIENT", "UNPAUSE")
        return cut, await crowd(*range(5))

    cut, again = in_a_loop(story)

    assert [type(answer) for answer in cut] == [GateUnavailable] * 5
    assert [json.loads(answer.body)["user_id"] for answer in again] == list(range(5))
    assert gate.read_state(7).stock == 4
    assert valkey.xlen(keys.log(7)) == 6


def test_a_connection_that_redis_closed_between_two_crowds_costs_nobody_an_answer(valkey: redis.Redis):
    async def story() -> list[Any]:
        first = await crowd(1)
        valkey.client_kill_filter(_type="normal", skipme=True)
        await asyncio.sleep(0.05)  # the loop hears of it
        return [*first, *await crowd(2)]

    assert [answer.outcome for answer in in_a_loop(story)] == ["admitted"] * 2


def test_killed_by_sigkill_redis_forgets_no_admission(server: Valkey):
    before = [gate.admit_sync(**purchase(user)).body for user in range(5)]
    server.process.kill()
    server.process.wait()

    server.start()
    approve(server)

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

    assert time.monotonic() - started < 3
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert response["Retry-After"]


def test_an_older_file_is_noticed_by_the_process_that_told_more(
    server: Valkey, tmp_path: Path, admit: Callable, caplog: pytest.LogCaptureFixture
):
    """PostgreSQL has no row yet and approves the old data; whoever told buyers more closes the gate for everybody."""
    admit(**purchase(1))
    shutil.copytree(tmp_path / "valkey", tmp_path / "yesterday")
    told = json.loads(admit(**purchase(2)).body)
    gate.saw(sale_id=7, epoch=told["epoch"], seq=told["seq"])
    server.stop()
    shutil.rmtree(tmp_path / "valkey")
    (tmp_path / "yesterday").rename(tmp_path / "valkey")
    server.start()
    approve(server)
    with contextlib.suppress(GateUnavailable):
        admit(**purchase(3))  # whose connection was to the one that was stopped

    for _ in range(3):
        with pytest.raises(GateUnavailable, match="fewer admissions"):
            admit(**purchase(3))
    assert sum("it lost data" in line for line in caplog.messages) == 1, "a crowd must not fill the log with one loss"

    approval.forget()  # another process, that told nobody anything
    assert admit(**purchase(3)).outcome == "closed"


def test_a_read_only_replica_is_refused_and_named(server: Valkey, tmp_path: Path, settings, admit: Callable):
    replica = Valkey(tmp_path / "replica", settings={"replicaof": f"127.0.0.1 {server.port}"})
    replica.start()
    try:
        settings.REDIS_URL = replica.url
        with pytest.raises(GateUnavailable, match="read-only replica"):
            admit(**purchase(1))
    finally:
        replica.stop()


def test_nobody_is_promised_what_no_replica_has_and_asking_again_gives_the_one_order(
    server: Valkey, tmp_path: Path, settings, admit: Callable
):
    """A repeated key writes nothing new, and WAIT covers only what its own connection wrote: it must not say yes."""
    settings.REPLICAS_TO_ACK = 1
    for _ in range(2):
        with pytest.raises(GateUnavailable, match=r"fewer than 1 replicas|TimeoutError"):  # on a busy machine, late
            admit(**purchase(1))
    assert admit(**purchase(1) | {"idempotency_key": "too-many", "quantity": 9}).outcome == "over_limit"

    replica = Valkey(tmp_path / "replica", settings={"replicaof": f"127.0.0.1 {server.port}"})
    replica.start()
    try:
        said, deadline = None, time.monotonic() + 20
        while said is None and time.monotonic() < deadline:
            with contextlib.suppress(GateUnavailable):  # until the replica has caught up
                said = admit(**purchase(1))
        assert said is not None
        assert said.outcome == "admitted"
        with redis.Redis.from_url(replica.url) as client:
            assert client.xlen(keys.log(7)) == 1
        assert gate.read_state(7).stock == 9
    finally:
        replica.stop()
