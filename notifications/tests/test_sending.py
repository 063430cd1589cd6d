from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from notifications import sending
from notifications.models import Notification, PhoneMessage
from notifications.provider import Outgoing, Provider, Receipt
from notifications.tests import tools
from notifications.tests.tools import let_time_pass, statuses, write

Use = Callable[[Provider], None]


@pytest.fixture
def carried_by(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes sending use this very provider object."""
    return lambda carrier: monkeypatch.setattr(sending, "provider", lambda: carrier)


@pytest.mark.django_db
def test_a_task_sends_its_messages_and_writes_it_down() -> None:
    ids = write(3)

    assert sending.send(ids) == 3

    arrived = PhoneMessage.objects.order_by("id")
    assert [str(message.idempotency_key) for message in arrived] == ids
    assert [message.text for message in arrived] == ["message 0", "message 1", "message 2"]
    assert Notification.objects.filter(status="sent", sent_at__isnull=False, tries=1).count() == 3


@pytest.mark.django_db
def test_a_task_that_comes_again_asks_the_provider_for_nothing(carried_by: Use) -> None:
    carrier = tools.Recorder()
    carried_by(carrier)
    ids = write(3)

    assert [sending.send(ids), sending.send(ids)] == [3, 0]

    assert [message.idempotency_key for message in carrier.asked] == ids


@pytest.mark.django_db(transaction=True)
def test_a_task_leaves_alone_what_another_one_is_sending(carried_by: Use) -> None:
    class Slow(tools.Recorder):
        def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
            in_the_call.set()
            assert go_on.wait(10)
            return super().send_batch(messages)

    carrier = Slow()
    carried_by(carrier)
    in_the_call, go_on = threading.Event(), threading.Event()
    ids = write(5)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_then_close, sending.send, ids)
        assert in_the_call.wait(10)
        assert sending.send(ids) == 0
        go_on.set()
        assert first.result(10) == 5

    assert len(carrier.asked) == 5
    assert statuses() == {"sent": 5}


@pytest.mark.django_db(transaction=True)
def test_tasks_that_race_for_the_same_messages_share_them_out(carried_by: Use) -> None:
    carrier = tools.Recorder()
    carried_by(carrier)
    rounds = [write(50) for _ in range(10)]
    start = threading.Barrier(4)

    def one_sender() -> int:
        claimed = 0
        for ids in rounds:
            start.wait(10)
            claimed += sending.send(ids)
        return claimed

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(_then_close, one_sender) for _ in range(4)]
        assert sum(sender.result(30) for sender in senders) == 500

    keys = [message.idempotency_key for message in carrier.asked]
    assert len(keys) == len(set(keys)) == 500
    assert statuses() == {"sent": 500}


@pytest.mark.django_db
def test_the_sweep_leaves_fresh_messages_to_their_task_and_sends_those_left_lying() -> None:
    write(250)

    assert sending.sweep() == 0
    let_time_pass(6)
    assert sending.sweep() == 250

    assert statuses() == {"sent": 250}
    assert PhoneMessage.objects.count() == 250


@pytest.mark.django_db
def test_a_provider_that_is_down_is_asked_again_later_and_later_and_then_no_more(carried_by: Use) -> None:
    carried_by(tools.Down())
    write(2)
    waits = []
    for _ in range(sending.RETRY.max_attempts):
        let_time_pass(3600)
        assert sending.sweep() == 2
        row = Notification.objects.latest("id")
        if row.status == "pending":
            assert row.claimed_at is not None
            waits.append((row.due_at - row.claimed_at).total_seconds())

    assert statuses() == {"failed": 2}
    assert set(Notification.objects.values_list("reason", flat=True)) == {"provider down: connection refused"}
    assert len(waits) == sending.RETRY.max_attempts - 1
    assert 2.5 <= waits[0] < 6
    assert 450 <= waits[-1] < 901
    let_time_pass(3600)
    assert sending.sweep() == 0


@pytest.mark.django_db
def test_a_message_that_waits_for_its_next_try_is_not_sent_by_its_old_task(carried_by: Use) -> None:
    carried_by(tools.Down())
    ids = write(1)

    assert [sending.send(ids), sending.send(ids)] == [1, 0]


@pytest.mark.django_db
def test_a_refusal_for_good_is_kept_with_its_reason(carried_by: Use) -> None:
    carried_by(tools.BlockedNumber())

    sending.send(write(1))

    row = Notification.objects.get()
    assert (row.status, row.reason, row.tries) == ("failed", "number blocked", 1)


@pytest.mark.django_db
def test_an_unreliable_provider_gets_every_message_across_once(carried_by: Use) -> None:
    flaky = tools.Flaky(seed=20261120)
    carried_by(flaky)
    ids = write(1000)

    for start in range(0, 1000, 100):
        sending.send(ids[start : start + 100])
    for _ in range(sending.RETRY.max_attempts):
        let_time_pass(3600)
        sending.sweep()

    assert flaky.refused > 150
    assert flaky.dropped > 0
    assert statuses() == {"sent": 1000}
    arrived = [str(key) for key in PhoneMessage.objects.values_list("idempotency_key", flat=True)]
    assert sorted(arrived) == sorted(ids)


@pytest.mark.django_db
def test_a_sender_that_went_silent_is_taken_over_after_a_minute() -> None:
    silent = write(1)
    sending._claim("id = ANY(%s::uuid[])", [silent])
    let_time_pass(50)
    assert sending.sweep() == 0

    let_time_pass(11)
    assert sending.sweep() == 1

    assert statuses() == {"sent": 1}


@pytest.mark.django_db
def test_a_late_answer_counts_if_it_is_sent_and_only_then() -> None:
    """Two senders have the same rows, because the first was slow: the second claimed them a minute later."""
    ids = write(2)
    slow = sending._claim("id = ANY(%s::uuid[])", [ids])
    let_time_pass(61)
    sending._take_over()
    sending._claim("id = ANY(%s::uuid[])", [ids])

    sending._settle(slow, [Receipt(ids[0], sending.Outcome.SENT), Receipt(ids[1], sending.Outcome.FAILED, "late")])

    first, second = Notification.objects.order_by("id")
    assert (first.status, second.status) == ("sent", "sending")


@pytest.mark.django_db
def test_a_message_that_kills_its_senders_is_given_up_in_the_end() -> None:
    ids = write(1)
    for _ in range(sending.RETRY.max_attempts):
        assert sending._claim("id = ANY(%s::uuid[])", [ids])
        let_time_pass(61)
        sending._take_over()

    row = Notification.objects.get()
    assert row.status == "failed"
    assert "may have been sent" in row.reason


def _then_close(work: Callable[..., int], *arguments: object) -> int:
    """In a thread of its own, which has its own connection."""
    try:
        return work(*arguments)
    finally:
        connections.close_all()
