"""Cold processes: a consumer outlives PostgreSQL's restarts, and the supervisor starts another when one must end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from config.stack.child import Child
from config.stack.output import Output
from config.stack.servers import Postgres
from config.stack.supervisor import Supervisor
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import Message
from tests.drills.diner.conftest import SERVED
from tests.drills.diner.crew import FULL, Crew
from tests.drills.diner.events import GROUP, TOPICS, Ordered
from tests.drills.harness import BASE, until

pytestmark = pytest.mark.drill
CONSUME = [sys.executable, "manage.py", "consume", "waiters"]
STOPS = (signal.SIGQUIT, signal.SIGINT, signal.SIGKILL) if FULL else (signal.SIGQUIT, signal.SIGINT)


def test_the_supervisor_starts_another_when_a_deadline_has_ended_a_consumer(crew: Crew) -> None:
    siblings = crew.order(3)
    crew.order(deed="hang in C, with the interpreter's lock")
    printed, deadline = io.StringIO(), time.monotonic() + 60

    def came_back_alone() -> bool:
        assert time.monotonic() < deadline, printed.getvalue()
        return "deadline 0.6 s, 1 message(s): diner.Ordered" in printed.getvalue() and crew.total()["done"] == 3

    with Supervisor(Output(["waiters"], stream=printed)) as supervisor:
        supervisor.add(Child("waiters", CONSUME, env={**crew.environment, "PYTHONUNBUFFERED": "1"}, cwd=BASE))
        supervisor.run(came_back_alone)

    said = printed.getvalue()
    assert "group 'waiters', deadline 0.6 s, 4 message(s): diner.Ordered" in said
    assert "in <lambda>" in said, "the handler's own frame"
    assert "waiters ended (exit code 1); starting it again" in said
    assert sorted(number for number, _ in crew.served()) == siblings


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def broker() -> Iterator[RedisStreamsBroker]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        broker = RedisStreamsBroker(TOPICS, url=settings.REDIS_URL)
        yield broker
        broker.redis.close()
        client.flushdb()


def test_database_connections_survive_postgresqls_restart(
    postgres: Postgres, broker: RedisStreamsBroker, tmp_path: Path
) -> None:
    """Stopped at once, politely, and killed: one process, each effect once, and no attempt counted."""
    environment = {
        **os.environ,
        "DATABASE_URL": postgres.url,
        "DJANGO_SETTINGS_MODULE": "tests.drills.diner.settings",
        "DINER_TAKES_S": "0.01",
        "DINER_BATCH": "5",
        "DINER_ATTEMPTS": "1",
        "DINER_LEASE_S": "10",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "queueing", "-v0"], cwd=BASE, env=environment, check=True)
    with psycopg.connect(postgres.url) as session:
        session.execute(SERVED)
    ordered = 0

    def served() -> list[int]:
        with psycopg.connect(postgres.url) as session:
            return [number for (number,) in session.execute("SELECT number FROM served")]

    def total() -> Counter[str]:
        [*rows] = broker.stats({GROUP: ["dishes"]})
        return Counter({name: sum(getattr(row, name) for row in rows) for name in ("done", "lag", "dead", "delayed")})

    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(CONSUME, cwd=BASE, env=environment, stdout=said, stderr=said) as consumer,
    ):
        try:
            for stop in STOPS:
                wanted = ordered + 40
                broker.produce([Message.of(Ordered(table=str(n), number=n)) for n in range(ordered, ordered + 200)])
                ordered += 200
                until(lambda wanted=wanted: len(served()) >= wanted, "at work")
                assert postgres.process is not None
                postgres.process.send_signal(stop)
                postgres.process.wait(timeout=20)
                assert total()["lag"] > 0, "it was stopped in the middle of the work"
                postgres.start()
            until(lambda: total() == Counter(done=ordered), lambda: f"{ordered} done, not {total()}")
            assert consumer.poll() is None, "the same process from the first to the last"
        finally:
            consumer.terminate()
            assert consumer.wait(timeout=20) == 0
    assert sorted(served()) == list(range(ordered))
    assert "the database is away" in (tmp_path / "said").read_text()
