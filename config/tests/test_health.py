"""/healthz against servers of its own, which may be stopped and frozen."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from config import health, tasks
from config.stack.servers import Postgres, Valkey
from inventory import keys as gate_keys
from queueing import keys
from queueing.autoscaler import asking
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker, subscriptions
from queueing.health import relay_beat


@pytest.fixture
def valkey(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("redis") / "valkey", settings={"appendfsync": "no"})
    server.start()
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": server.url}}
    settings.REDIS_URL = server.url
    for cached in (health._broker, tasks._redis):
        cached.cache_clear()
    yield server
    if server.process is not None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()
    for cached in (health._broker, tasks._redis):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def fresh_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "probes", health.Probes())


@pytest.fixture
def broker(valkey: Valkey) -> RedisStreamsBroker:
    """A house where everybody has just shown a sign of life."""
    broker = make_broker()
    for group in subscriptions():
        broker.beat(group, f"{group}-1")
    relay_beat(broker)
    tasks.alive()
    return broker


def ask() -> tuple[int, dict[str, Any]]:
    health.probes = health.Probes()
    response = Client().get("/healthz")
    return response.status_code, response.json()


def test_a_house_at_work_is_ok(broker: RedisStreamsBroker) -> None:
    status, said = ask()

    assert status == 200
    assert said == {
        "status": "ok",
        "components": {
            "postgres": "ok",
            "redis": "ok",
            "consumers": dict.fromkeys(["orders", "inventory", "payments", "logistics", "notifications"], "ok"),
            "relay": "ok",
            "celery": "ok",
        },
    }


def test_who_never_came_is_named(valkey: Valkey) -> None:
    status, said = ask()

    assert status == 503
    assert said["status"] == "unavailable"
    assert said["components"]["consumers"]["orders"] == "never seen"
    assert said["components"]["relay"] == "never seen"
    assert said["components"]["celery"] == "silent"


def test_a_consumer_that_fell_silent_is_named_and_the_others_are_not(broker: RedisStreamsBroker) -> None:
    long_ago_ms = int((time.time() - 60) * 1000)
    broker.redis.hset(keys.seen("payments"), "payments-1", long_ago_ms)

    status, said = ask()

    assert status == 503
    assert said["components"]["consumers"].pop("payments").startswith("silent for 6")
    assert set(said["components"]["consumers"].values()) == {"ok"}


def test_a_group_that_an_operator_stopped_is_told_as_stopped_and_nothing_is_wrong(
    broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "client", lambda: broker.redis)
    for group in ("inventory", "payments"):
        broker.redis.hset(keys.seen(group), f"{group}-1", int((time.time() - 60) * 1000))
    asking.hold("inventory", 0, 60, "to see the backlog grow")
    asking.hold("payments", 2, 60, "who holds two misses them")

    status, said = ask()

    assert status == 503
    assert said["components"]["consumers"]["inventory"] == "stopped by an operator"
    assert said["components"]["consumers"]["payments"].startswith("silent for 6")

    asking.release("payments")
    broker.beat("payments", "payments-1")

    assert ask()[0] == 200


def test_the_web_takes_requests_whatever_is_away(valkey: Valkey) -> None:
    valkey.stop()

    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response.headers["Cache-Control"]


def test_a_redis_whose_data_was_not_compared_since_it_began_is_named(broker: RedisStreamsBroker) -> None:
    broker.redis.set(gate_keys.APPROVED, "the run id of another life")

    status, said = ask()

    assert (status, "compared" in said["components"]["redis"]) == (503, True)


def test_a_replica_is_named(broker: RedisStreamsBroker, own_redis_url: str) -> None:
    other = urlsplit(own_redis_url)
    broker.redis.execute_command("REPLICAOF", other.hostname, other.port)

    status, said = ask()

    assert (status, said["components"]["redis"]) == (503, "a read-only replica")


def test_without_redis_it_answers_and_names_it(broker: RedisStreamsBroker, valkey: Valkey) -> None:
    valkey.stop()

    status, said = ask()

    assert status == 503
    assert said["components"] == {"postgres": "ok", "redis": "unreachable"}


def test_a_frozen_redis_is_given_up_within_a_second(broker: RedisStreamsBroker, valkey: Valkey) -> None:
    assert valkey.process is not None
    valkey.process.send_signal(signal.SIGSTOP)
    asked = time.monotonic()

    status, said = ask()

    assert time.monotonic() - asked < 2.0  # the probe's second, and a busy machine's
    assert status == 503
    assert said["components"]["redis"] == "does not answer"


def test_without_postgresql_it_names_it_and_tells_no_secret(
    broker: RedisStreamsBroker, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(tmp_path_factory.mktemp("pg") / "postgres", durable=False)
    postgres.start()
    monkeypatch.setattr(health.env, "database_url", postgres.url)
    assert ask()[0] == 200

    postgres.stop()
    status, said = ask()

    assert status == 503
    assert said["components"]["postgres"] == "unreachable"
    assert str(postgres.folder) not in str(said)


def test_a_frozen_postgresql_is_given_up_within_a_second(
    broker: RedisStreamsBroker, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(tmp_path_factory.mktemp("pg") / "postgres", durable=False)
    postgres.start()
    monkeypatch.setattr(health.env, "database_url", postgres.url)
    assert postgres.process is not None
    postgres.process.send_signal(signal.SIGSTOP)
    try:
        asked = time.monotonic()
        status, said = ask()
    finally:
        os.kill(postgres.process.pid, signal.SIGCONT)
        postgres.stop()

    assert time.monotonic() - asked < 2.0
    assert (status, said["components"]["postgres"]) == (503, "does not answer")


def test_an_answer_stands_for_a_second(broker: RedisStreamsBroker, valkey: Valkey) -> None:
    client = Client()
    assert client.get("/healthz").status_code == 200
    valkey.stop()

    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "delete", "head"])
def test_it_can_only_be_read(method: str) -> None:
    assert getattr(Client(), method)("/healthz").status_code == 405


def test_it_opens_no_session_and_is_never_cached(broker: RedisStreamsBroker) -> None:
    response = Client().get("/healthz")

    assert not response.cookies
    assert "no-store" in response.headers["Cache-Control"]
    assert "Cookie" not in response.headers.get("Vary", "")
