"""Who may commit: tokens in PostgreSQL, with sessions that really run at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from queueing.errors import LeaseLost, StoreUnavailable
from queueing.fence import DatabaseFence
from queueing.inbox import inbox
from queueing.leases import Lease, Token
from queueing.message import Delivery, Message, new_id
from queueing.models import Fence, InboxEntry

pytestmark = pytest.mark.django_db(transaction=True)
cooks = DatabaseFence("cooks")


def lease(epoch: int, n: int, partition: str = "0") -> Lease:
    return Lease("parcels", partition, Token(epoch, n))


def delivery(token: tuple[int, int], partition: str = "0") -> Delivery:
    return Delivery(Message(new_id(), "parcels", "lin", "tests.Parcel", 1, b"{}", 0), partition, "1-0", token=token)


def test_tokens_of_a_partition_only_rise() -> None:
    assert cooks.admit(lease(1, 5))
    assert not cooks.admit(lease(1, 5))
    assert not cooks.admit(lease(1, 4))
    assert cooks.admit(lease(2, 1))
    assert not cooks.admit(lease(1, 99))
    assert cooks.admit(lease(1, 1, "another partition"))
    assert DatabaseFence("waiters").admit(lease(1, 1))


def test_an_earlier_holder_commits_nothing() -> None:
    cooks.admit(lease(1, 1))
    handled: list[Delivery] = []
    handle = inbox("cooks", fence=cooks.hold)
    handle([delivery((1, 1))], handled.extend)
    cooks.admit(lease(1, 2))

    with pytest.raises(LeaseLost):
        handle([delivery((1, 1))], handled.extend)
    assert len(handled) == InboxEntry.objects.count() == 1


def test_one_lost_partition_stops_the_whole_batch_and_is_named() -> None:
    cooks.admit(lease(1, 1, "0"))
    cooks.admit(lease(1, 7, "1"))

    with pytest.raises(LeaseLost) as lost, transaction.atomic():
        cooks.hold([delivery((1, 1), "0"), delivery((1, 6), "1")])
    assert lost.value.where == ("parcels", "1")


def test_a_partition_nobody_was_admitted_to_is_nobodys() -> None:
    with pytest.raises(LeaseLost), transaction.atomic():
        cooks.hold([delivery((1, 1))])


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    parameters = connection.get_connection_params()
    with psycopg.connect(**{name: parameters[name] for name in ("dbname", "user", "host")}) as other:
        yield other


def test_nobody_is_admitted_while_an_earlier_holder_may_still_commit(other: psycopg.Connection) -> None:
    cooks.admit(lease(1, 1))
    other.execute("SELECT 1 FROM queueing_fence FOR UPDATE")  # its transaction is open

    with pytest.raises(StoreUnavailable, match="not free yet"):
        cooks.admit(lease(1, 2))
    other.rollback()

    assert cooks.admit(lease(1, 2))


def test_a_holder_that_waited_for_its_successor_sees_it(other: psycopg.Connection) -> None:
    """The comparison is made after the lock is had, not on what was there when the statement began."""
    cooks.admit(lease(1, 1))
    other.execute("UPDATE queueing_fence SET n = 2")
    committed = threading.Timer(0.3, other.commit)
    committed.start()

    with pytest.raises(LeaseLost), transaction.atomic():
        cooks.hold([delivery((1, 1))])
    committed.join()


def test_the_epoch_is_raised_once_by_all_who_find_the_broker_ran_backwards() -> None:
    assert cooks.epoch() == 1
    cooks.raise_epoch(above=1)
    cooks.raise_epoch(above=1)
    assert cooks.epoch() == 2
    cooks.raise_epoch(above=7)
    assert cooks.epoch() == 8


def test_an_operator_begins_a_new_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="nobody is there to ask"):
        call_command("queue", "new-epoch")
    assert cooks.epoch() == 1

    call_command("queue", "new-epoch", "--yes")
    call_command("queue", "new-epoch", "--yes", "--json")

    assert capsys.readouterr().out.split() == ["Epoch", "2", "begins.", "{", '"epoch":', "3", "}"]
    assert cooks.epoch() == 3


def test_a_fence_row_is_one_per_group_and_partition() -> None:
    for n in range(1, 20):
        cooks.admit(lease(1, n))

    assert [(f.group, f.topic, f.partition, f.epoch, f.n) for f in Fence.objects.all()] == [
        ("cooks", "parcels", "0", 1, 19)
    ]
