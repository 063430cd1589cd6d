"""A replica hangs, the primary is killed, the replica takes its place with what it had written down.

With REPLICAS_TO_ACK=1 nothing that a buyer was told is lost. Without it the orders that only the primary had are void,
and the audit names each.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.utils import timezone

from config.audit.evidence import gather
from config.audit.tests.world import BUYERS, World
from config.audit.verdict import Verdict, judge
from config.recovery.turn import turn
from config.stack.valkey import Valkey
from orders.models import Order
from shop.models import Product, User
from shop.services import schedule_sale


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Valkey]]:
    """Whatever is put in here is stopped after the test, hung or not."""
    started: list[Valkey] = []
    yield started
    for server in started:
        if server.process is not None:
            server.process.send_signal(signal.SIGCONT)
        server.stop()


def start(servers: list[Valkey], folder: Path, *, replica_of: Valkey | None = None) -> Valkey:
    server = Valkey(folder, settings={"replicaof": f"127.0.0.1 {replica_of.port}"} if replica_of else None)
    servers.append(server)
    server.start()
    if replica_of:
        with redis.Redis.from_url(server.url) as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
    return server


def until(condition: Any, *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def use(settings: Any, server: Valkey) -> None:
    settings.REDIS_URL = server.url
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": server.url}}


def open_shop() -> World:
    kettle = Product.objects.create(title="Ember kettle", slug="ember-kettle", blurb="Boils.", picture="p/k.svg")
    now = timezone.now()
    sale = schedule_sale(
        product=kettle, price_cents=4900, stock=5, per_user_limit=1,
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    world = World(sale, sale, {name: User.objects.create(username=name, phone="+44 20 7946 0001") for name in BUYERS})
    world.settle()
    assert turn().is_well
    return world


def verdict_on(world: World, folder: Path) -> Verdict:
    with gather(history_path=world.write_history(folder / "history.jsonl")) as evidence:
        return judge(evidence, has_history=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("replicas", [0, 1])
def test_a_lagging_replica_takes_over(servers: list[Valkey], tmp_path: Path, settings: Any, replicas: int) -> None:
    primary = start(servers, tmp_path / "primary")
    replica = start(servers, tmp_path / "replica", replica_of=primary)
    use(settings, primary)
    settings.REPLICAS_TO_ACK = replicas
    world = open_shop()
    world.ask("ada")
    world.settle()
    with redis.Redis.from_url(primary.url) as client:
        assert client.wait(1, 5_000) == 1
        until(lambda: client.info("replication")["slave0"]["lag"] <= 1)

    replica.process.send_signal(signal.SIGSTOP)
    world.ask("bob")
    world.ask("cleo")
    promised = [line["user"] for line in world.history if line["outcome"] == "ok"]
    assert promised == (["ada"] if replicas else ["ada", "bob", "cleo"])

    now_ms = time.time_ns() // 1_000_000
    world.history.append({"at": now_ms, "op": "fault", "outcome": "info", "code": "redis_data_lost"})
    primary.process.kill()
    primary.process.wait()
    replica.process.kill()  # what it had not read is gone with its hung process
    replica.process.wait()
    promoted = start(servers, tmp_path / "replica")
    start(servers, tmp_path / "second", replica_of=promoted)
    use(settings, promoted)
    while not turn().is_well:
        pass
    world.ask("dan")  # PostgreSQL missed nothing; the process that told bob and cleo does
    while not turn().is_well:
        pass
    for name in ("bob", "cleo", "dan"):
        world.ask(name)
    world.settle()

    verdict = verdict_on(world, tmp_path)
    assert verdict.broken == 0, "\n".join(verdict.as_text())
    assert verdict.counts["lost"] == 0
    assert len(verdict.declared) == (0 if replicas else 2)
    assert Order.objects.count() == 4
    assert set(Order.objects.values_list("epoch", flat=True)) == ({1} if replicas else {1, 2})
