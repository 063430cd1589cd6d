"""Real Celery workers: killed, stopped, cut off from Redis, and fed with what they must not eat."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from kombu import pools

from config.celery import app
from config.stack.servers import Valkey
from config.tests.celery_processes import BEAT, WORKER, running, wait_until
from notifications import sending
from notifications.handlers import SUBSCRIPTION
from notifications.models import Notification, PhoneMessage
from notifications.tasks import send
from orders.events import OrderPaid
from queueing.console import runs
from queueing.console.choosing import Choice, settled
from queueing.letter_run import LetterRun
from queueing.message import new_id
from queueing.tests.console import many_dead

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.drill]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", settings={"appendfsync": "no"})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def to_valkey(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """This process hands its tasks to that Valkey."""
    monkeypatch.setitem(app.conf, "broker_url", valkey.url)
    app.amqp._producer_pool = None
    yield valkey
    pools.reset()
    app.amqp._producer_pool = None  # closed with the others; whoever hands over a task next dials anew


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada", first_name="Ada", email="ada@example.test", phone="123456")


def tell(user: Any, orders: int = 1) -> None:
    """`orders` paid orders, heard in one batch: two messages each."""
    with transaction.atomic():
        SUBSCRIPTION.handlers[OrderPaid](
            [
                OrderPaid(order_id=new_id(), sale_id=7, user_id=user.pk, quantity=1, total_cents=4900)
                for _ in range(orders)
            ]
        )


def in_state(status: str) -> int:
    return Notification.objects.filter(status=status).count()


def let_time_pass(seconds: float) -> None:
    by = timedelta(seconds=seconds)
    Notification.objects.update(due_at=F("due_at") - by, claimed_at=F("claimed_at") - by)


def test_a_worker_killed_between_provider_and_mark_sends_nothing_twice(
    to_valkey: Valkey, ada: Any, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    crash = {"SLUICE_CRASH_AT": "notifications.sent", "SLUICE_CRASH_NOTE": str(note)}
    with running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url, **crash) as worker:
        tell(ada)
        assert worker.popen.wait(20) == -signal.SIGKILL
        assert note.read_text() == f"notifications.sent {worker.popen.pid}\n"
    assert (in_state("sending"), PhoneMessage.objects.count()) == (2, 2)

    let_time_pass(61)
    assert sending.sweep() == 2

    assert (in_state("sent"), PhoneMessage.objects.count()) == (2, 2)


def test_messages_written_while_celerys_redis_is_away_are_swept_up(
    to_valkey: Valkey, ada: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tell(ada)  # over a connection that is then cut
    to_valkey.stop()

    tell(ada)
    assert "the sweep will send 2 messages" in caplog.text
    assert in_state("pending") == 4

    let_time_pass(6)
    assert sending.sweep() == 4
    assert PhoneMessage.objects.count() == 4

    to_valkey.start()
    for _ in range(2):  # at most one task is lost to the old connection
        tell(ada)
    with running(WORKER, to_valkey.folder.parent / "worker.log", REDIS_URL=to_valkey.url):
        wait_until(lambda: in_state("sent") >= 6)


def test_a_worker_survives_redis_and_goes_on(to_valkey: Valkey, ada: Any, tmp_path: Path) -> None:
    with running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url) as worker:
        tell(ada)
        wait_until(lambda: in_state("sent") == 2, otherwise=lambda: worker.output)

        to_valkey.stop()
        wait_until(lambda: "Connection to broker lost" in worker.output, otherwise=lambda: worker.output)
        to_valkey.start()
        for _ in range(2):
            tell(ada)

        wait_until(lambda: in_state("sent") >= 4, otherwise=lambda: worker.output)
        assert worker.stop() < 10


def test_a_pickled_task_is_refused_unopened(to_valkey: Valkey, ada: Any, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    assert pickle.loads(pickle.dumps(_Bomb(opened))) == 0  # it works where pickles are opened
    opened.rmdir()
    send.apply_async([[_Bomb(opened)]], serializer="pickle")
    tell(ada)
    with running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url) as worker:
        wait_until(lambda: in_state("sent") == 2, otherwise=lambda: worker.output)

        assert not opened.exists()
        assert "Refusing to deserialize" in worker.output
        assert worker.stop() < 10
    with app.connection_for_write() as connection, connection.channel() as channel:
        assert (channel.client.llen("celery"), channel.client.hlen("unacked")) == (0, 0)


@pytest.mark.parametrize(("slow_s", "exit_code"), [(1.5, 0), (60, os.EX_TEMPFAIL)])
def test_a_stopping_worker_finishes_its_task_or_gives_it_back_within_ten_seconds(
    to_valkey: Valkey, ada: Any, tmp_path: Path, slow_s: float, exit_code: int
) -> None:
    slow = {"DJANGO_SETTINGS_MODULE": "config.tests.slow_provider", "SLOW_PHONE_S": str(slow_s)}
    with running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url, **slow) as worker:
        tell(ada)
        wait_until(lambda: in_state("sending") == 2, otherwise=lambda: worker.output)

        assert worker.stop() < 10

        assert worker.popen.returncode == exit_code
    with app.connection_for_write() as connection, connection.channel() as channel:
        unacked = channel.client.hlen("unacked")
    if exit_code == 0:
        assert (in_state("sent"), unacked) == (2, 0)
    else:
        # Redis keeps it for another worker, and the sweep does not even wait for that.
        assert (in_state("sending"), unacked) == (2, 1)
        let_time_pass(61)
        assert sending.sweep() == 2
        assert PhoneMessage.objects.count() == 2


def test_beat_wakes_the_sweep_and_leaves_no_file_to_be_torn_by_a_kill(
    to_valkey: Valkey, ada: Any, tmp_path: Path
) -> None:
    to_valkey.stop()
    tell(ada)
    to_valkey.start()
    let_time_pass(6)
    with (
        running(BEAT, tmp_path / "beat.log", REDIS_URL=to_valkey.url) as beat,
        running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url),
    ):
        wait_until(lambda: in_state("sent") == 2, otherwise=lambda: beat.output)

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"beat.log", "worker.log", "valkey", "valkey.log"}


class _Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.system, (f"mkdir {self.mark}",))


def test_what_an_operator_begins_on_the_page_is_worked_off_by_whichever_worker_hears_of_it(
    to_valkey: Valkey, ada: Any, tmp_path: Path, settings: Any
) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": to_valkey.url}}
    with redis.Redis.from_url(to_valkey.url) as client:
        many_dead(client, 250)
        run = runs.propose(user=ada, action="replay", choice=settled(Choice(group="orders"), client))
    assert runs.begin(run=run, user=ada, also_quarantined=False)

    with running(WORKER, tmp_path / "worker.log", REDIS_URL=to_valkey.url) as worker:
        wait_until(lambda: _state(run) == "done", otherwise=lambda: worker.output)

    assert run.moved == 250


def _state(run: LetterRun) -> str:
    run.refresh_from_db()
    return run.state
