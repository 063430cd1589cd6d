"""Ordered mode with real processes: killed, frozen, coming and going. DRILL_SCALE sets the counts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from django.db import connection

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.fence import current_epoch
from queueing.leases import LeaseSeen
from queueing.message import Message
from queueing.tests.ordered_kitchen import LEASE_S, TOPICS, Plated

ROOT = Path(__file__).resolve().parents[2]
SCALE = int(os.environ.get("DRILL_SCALE", "1"))
TABLES = 12
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.drill]


class House:
    """Consumers as processes, and what they served."""

    def __init__(self, broker: RedisStreamsBroker, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.waiters: list[subprocess.Popen[bytes]] = []
        self.sent = 0

    def hire(self, freeze: str = "") -> subprocess.Popen[bytes]:
        parameters = connection.get_connection_params()
        url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
        with (self.folder / f"waiter-{len(self.waiters)}").open("wb") as log:
            waiter = subprocess.Popen(
                [sys.executable, "-m", "queueing.tests.ordered_kitchen"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": url, "KITCHEN_FREEZE": freeze},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.waiters.append(waiter)
        return waiter

    def said(self, waiter: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"waiter-{self.waiters.index(waiter)}").read_text()

    def send(self, count: int, *, burnt: float = 0.0, table: str = "") -> None:
        rng = random.Random(self.sent)
        numbers = range(self.sent, self.sent + count)
        self.broker.produce(
            [Message.of(Plated(table=table or str(n % TABLES), number=n, burnt=rng.random() < burnt)) for n in numbers]
        )
        self.sent += count

    @staticmethod
    def served() -> list[tuple[str, int, int]]:
        with connection.cursor() as cursor:
            cursor.execute('SELECT "table", number, pid FROM plates ORDER BY id')
            return cursor.fetchall()

    def holders(self) -> Counter[str]:
        seen: list[LeaseSeen] = self.broker.leases("waiters", ["plates"])
        return Counter(lease.owner for lease in seen)

    def wait_for(self, true: Callable[[], object], *, within_s: float = 90) -> None:
        deadline = time.monotonic() + within_s
        while not true():
            assert time.monotonic() < deadline, "\n".join(self.said(waiter)[-2000:] for waiter in self.waiters)
            time.sleep(0.02)

    def all_is_served(self) -> None:
        self.wait_for(lambda: len(self.served()) >= self.sent)
        self.wait_for(lambda: sum(row.done for row in self.broker.stats({"waiters": ["plates"]})) == self.sent)
        served = self.served()
        assert sorted(number for _, number, _ in served) == list(range(self.sent))
        for table in {table for table, _, _ in served}:
            numbers = [number for t, number, _ in served if t == table]
            assert numbers == sorted(numbers), f"table {table}"
        for row in self.broker.stats({"waiters": ["plates"]}):
            assert (row.lag, row.in_flight, row.delayed, row.parked, row.dead) == (0, 0, 0, 0, 0), row
            assert row.appended == row.acked == row.done


@pytest.fixture
def house(client: redis.Redis, redis_url: str, tmp_path: Path) -> Iterator[House]:
    with connection.cursor() as cursor:
        cursor.execute('CREATE TABLE plates (id bigserial, "table" text, number int, pid int)')
    house = House(RedisStreamsBroker(TOPICS, url=redis_url), tmp_path)
    yield house
    for waiter in house.waiters:
        waiter.kill()
        waiter.wait(timeout=20)
    house.broker.redis.close()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE plates")


def test_when_holders_are_killed_others_go_on_in_order(house: House) -> None:
    alive = [house.hire(), house.hire()]
    rng = random.Random(7)
    for _ in range(2 * SCALE):
        victim = rng.choice(alive)
        before = len(house.served())

        def victim_is_at_work(victim: subprocess.Popen[bytes] = victim, before: int = before) -> bool:
            house.send(20, burnt=0.02)
            return any(pid == victim.pid for *_, pid in house.served()[before:])

        house.wait_for(victim_is_at_work)
        victim.send_signal(signal.SIGKILL)
        alive.remove(victim)
        alive.append(house.hire())

    house.all_is_served()


@pytest.mark.parametrize("where", ["read", "handler", "committed"])
def test_a_frozen_holder_comes_back_and_changes_nothing(house: House, where: str) -> None:
    house.send(10, table="lin")
    zombie = house.hire(freeze=f"{where}:5")
    house.wait_for(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED)
    frozen_at = time.monotonic()
    heir = house.hire()
    house.send(10, table="lin")

    house.wait_for(lambda: len(house.served()) == 20)
    house.wait_for(lambda: time.monotonic() - frozen_at > 3 * LEASE_S)
    zombie.send_signal(signal.SIGCONT)
    house.wait_for(lambda: "is lost: a later token is known" in house.said(zombie))

    house.all_is_served()
    by_heir = sum(pid == heir.pid for *_, pid in house.served())
    assert by_heir == (10 if where == "committed" else 20)
    # Frozen inside its transaction, it would block its heir: PostgreSQL ends its session before its lease.
    assert ("the database is away" in house.said(zombie)) == (where == "handler")
    assert zombie.poll() is None, "a zombie that lost its partitions works on"


def test_consumers_come_and_go_under_load(house: House) -> None:
    first = house.hire()
    house.send(100, burnt=0.02)
    house.wait_for(lambda: len(house.served()) > 20)
    others = [house.hire(), house.hire()]

    def send_until(true: Callable[[], bool]) -> None:
        def tried() -> bool:
            house.send(10, burnt=0.02)
            return true()

        house.wait_for(tried)

    send_until(lambda: sorted(house.holders().values()) == [1, 1, 2])
    first.send_signal(signal.SIGTERM)
    send_until(lambda: first.poll() is not None and sorted(house.holders().values()) == [2, 2])

    assert first.returncode == 0
    house.all_is_served()
    assert {pid for *_, pid in house.served()} == {waiter.pid for waiter in (first, *others)}


def test_a_redis_that_was_emptied_gives_no_old_token_again(house: House, client: redis.Redis) -> None:
    """It counts leases from one again; PostgreSQL knows higher ones, so a new epoch begins and nobody is shut out."""
    house.hire()
    house.send(50)
    house.wait_for(lambda: len(house.served()) == 50)
    client.flushdb()
    house.hire()

    house.send(50)

    house.wait_for(lambda: len(house.served()) == 100)
    assert [number for _, number, _ in house.served()[50:] if number < 50] == []
    assert current_epoch() >= 2
    epochs = {seen.token.epoch for seen in house.broker.leases("waiters", ["plates"])}
    assert epochs == {current_epoch()}
