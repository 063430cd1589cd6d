"""`manage.py relay` as a process of its own: it lives through what PostgreSQL does to its session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction

from orders.events import OrderExpired
from queueing.models import OutboxMessage
from queueing.outbox import publish

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def relay(client: object) -> Iterator[subprocess.Popen[str]]:
    parameters = connection.get_connection_params()
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert "listening" in process.stdout.readline()
    yield process
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_relay_tells_what_is_committed_also_after_its_session_was_ended(relay: subprocess.Popen[str]) -> None:
    _publish()
    _until(lambda: OutboxMessage.objects.count() == 0)

    _end_the_sessions_of_others()
    _publish()
    _until(lambda: OutboxMessage.objects.count() == 0)

    assert relay.poll() is None


def _publish() -> None:
    with transaction.atomic():
        publish(OrderExpired(order_id="order-1", sale_id=1, user_id=1, quantity=1))


def _end_the_sessions_of_others() -> None:
    parameters = connection.get_connection_params()
    chosen = {name: parameters[name] for name in ("dbname", "user", "host")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()[0]
    with psycopg.connect(**chosen, autocommit=True) as other:
        ended = other.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid NOT IN (%s, pg_backend_pid())",
            [mine],
        ).fetchone()
    assert ended is not None
    assert ended[0] >= 1


def _until(true: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
