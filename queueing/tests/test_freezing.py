"""A consumer process that is frozen really stands still (SIGSTOP), and goes on whatever becomes of everybody else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from django.db import connection

from queueing.faults import store
from queueing.faults.fault import Fault, Kind
from queueing.faults.freezing import Freezing
from queueing.faults.weather import Weather
from queueing.tests.test_faults import until

ROOT = Path(__file__).resolve().parents[2]
GROUP = "logistics"
HERE: dict[str, Any] = {"host": socket.gethostname()}


@pytest.fixture
def consumer(client: redis.Redis) -> Iterator[psutil.Process]:
    """`manage.py consume logistics`, as `make up` runs it."""
    parameters = connection.get_connection_params()
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "consume", GROUP],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "FAULT_ROOM": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert "reads" in process.stdout.readline()
    try:
        yield psutil.Process(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "has left" in said


def freeze(client: redis.Redis, consumer: psutil.Process, *, seconds: float) -> Fault:
    fault = Fault(kind=Kind.FREEZE, group=GROUP, pid=consumer.pid, by="grace", **HERE)
    assert store.begin(client, fault, seconds=seconds)
    return fault


def stands_still(consumer: psutil.Process) -> bool:
    return bool(consumer.status() == psutil.STATUS_STOPPED)


@pytest.mark.django_db(transaction=True)
def test_a_frozen_consumer_stands_still_and_goes_on_at_the_end_or_when_told(
    consumer: psutil.Process, client: redis.Redis
) -> None:
    freeze(client, consumer, seconds=3)
    until(lambda: stands_still(consumer), "it stands still")
    began = time.monotonic()
    until(lambda: not stands_still(consumer), "it goes on when the time is over")
    assert time.monotonic() - began < 5
    until(lambda: not consumer.children(), "the child that woke it is gone")

    fault = freeze(client, consumer, seconds=60)
    until(lambda: stands_still(consumer), "it stands still again")
    assert store.end(client, fault)
    until(lambda: not stands_still(consumer), "it goes on as soon as somebody ends it")

    freeze(client, consumer, seconds=60)
    until(lambda: stands_still(consumer), "it stands still once more")
    consumer.terminate()
    consumer.children()[0].terminate()  # as who ends the whole group does
    until(lambda: not consumer.is_running() or consumer.status() == psutil.STATUS_ZOMBIE, "both end in order")
    client.flushdb()


@pytest.mark.parametrize("other", [{"pid": 1}, {"host": "elsewhere"}], ids=["process", "machine"])
def test_only_the_process_that_is_named_stands_still(other: dict[str, Any], client: redis.Redis) -> None:
    store.begin(client, Fault(kind=Kind.FREEZE, group=GROUP, **{**HERE, "pid": os.getpid(), **other}), seconds=5)
    weather = Weather(client, (Kind.FREEZE,), GROUP)
    began = time.monotonic()

    weather.look()
    Freezing(weather, client, "redis://127.0.0.1:1").look()

    assert weather.of(Kind.FREEZE)
    assert time.monotonic() - began < 4


def test_a_frozen_consumer_that_is_killed_leaves_nobody_behind() -> None:
    """Nor does its child wake a stranger who has its number by then."""
    sleeper = subprocess.Popen([sys.executable, "-c", _STANDS_STILL], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert sleeper.stdout is not None
        child = psutil.Process(int(sleeper.stdout.readline()))
        until(lambda: stands_still(psutil.Process(sleeper.pid)), "it stands still")
        os.kill(sleeper.pid, signal.SIGKILL)
        sleeper.wait(timeout=10)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "its child is gone")
    finally:
        sleeper.kill()
        sleeper.communicate(timeout=10)


_STANDS_STILL = """
import os, signal, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "queueing.faults.thaw", str(os.getpid()), "60"],
    env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1", "FAULT": "none"}, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""
