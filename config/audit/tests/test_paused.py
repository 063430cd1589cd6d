"""A pause in the middle of traffic: once it arrived nobody is admitted, resumed it goes on, and the audit is 0."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from inventory import gate
from queueing.conf import make_broker, subscriptions
from queueing.consumer import make_worker
from queueing.relay import Relay
from shop import steering
from shop.services import schedule_sale

pytestmark = pytest.mark.django_db

CROWDS = (("ada", "bob", "cleo", "dan", "eve"), ("finn", "gus", "hal", "ivy", "jon"))


def test_after_the_gate_has_the_pause_nobody_is_admitted_and_after_the_resume_it_goes_on(world, audit, tmp_path):
    """Given two processes that buy all the time, when an operator pauses and resumes the sale."""
    now = timezone.now()
    cape = schedule_sale(
        product=world.kettles.product, price_cents=900, stock=5_000, per_user_limit=5_000,
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    world.settle()
    histories = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]

    with contextlib.ExitStack() as crowd:
        for names, history in zip(CROWDS, histories, strict=True):
            crowd.enter_context(_eager(cape.pk, history, {name: world.users[name].pk for name in names}))
        _until(lambda: all(_count(history, "ok") >= 5 for history in histories), "both buy")

        steering.pause(sale=cape, now=timezone.now())
        _carry_to_the_gate(lambda: gate.read_state(cape.pk).paused)
        acknowledged = gate.read_state(cape.pk)
        _until(lambda: all(_count(path, "paused") >= 5 for path in histories), "both were told of the pause")
        during = gate.read_state(cape.pk)

        steering.resume(sale=cape, now=timezone.now())
        _carry_to_the_gate(lambda: not gate.read_state(cape.pk).paused)
        _until(lambda: gate.read_state(cape.pk).seq >= during.seq + 5, "it goes on")

    assert during.state == "paused"
    assert (during.seq, during.stock) == (acknowledged.seq, acknowledged.stock)
    world.settle()
    told = [json.loads(line) for path in histories for line in path.read_text().splitlines()]
    verdict = audit(history=world.history + told)
    assert verdict.broken == 0, verdict


@contextlib.contextmanager
def _eager(sale_id: int, history: Path, users: dict[str, int]):
    pairs = [f"{name}={user_id}" for name, user_id in users.items()]
    command = [sys.executable, "-m", "config.audit.tests.eager", str(sale_id), str(history), *pairs]
    environment = {**os.environ, "REDIS_URL": settings.REDIS_URL}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as buyer:
        try:
            yield
        finally:
            buyer.stdin.close()
            assert buyer.wait(timeout=20) == 0


def _carry_to_the_gate(arrived) -> None:
    """The relay and inventory's consumer, as long as it takes; orders may keep coming."""
    broker = make_broker()
    relay, inventory = Relay(broker), make_worker(subscriptions()["inventory"], broker, collect_s=0)
    try:
        _until(lambda: (relay.own_lanes(), relay.step(), inventory.step(0), arrived())[-1], "the gate has the change")
    finally:
        relay.release_lanes()


def _count(history: Path, code: str) -> int:
    return history.read_text().count(f'"{code}"') if history.exists() else 0


def _until(condition, what: str, *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.02)
