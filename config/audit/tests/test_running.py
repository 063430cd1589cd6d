"""A running system gives no false alarm: whatever is half-way when the audit looks is on its way, not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import redis
from django.db import connections
from msgspec.structs import replace

from config.audit import logs
from config.audit.fence import Fence
from config.audit.tests.scene import park_a_follower
from config.audit.tests.world import World
from config.audit.verdict import Verdict
from queueing import keys
from queueing.broker import BEGINNING, END, Failure
from queueing.conf import make_broker, subscriptions
from queueing.inbox import inbox
from queueing.message import Message, new_id
from queueing.relay import Relay
from queueing.topic import Topic
from queueing.worker import Worker

pytestmark = pytest.mark.django_db


def _no_false_alarm(verdict: Verdict) -> None:
    assert verdict.broken == 0, "\n".join(verdict.as_text())


def test_every_half_way_house_is_sound(world: World, audit: Callable[..., Verdict]) -> None:
    broker = make_broker()
    relay = Relay(broker)
    relay.own_lanes()
    workers = [Worker(sub, broker, middlewares=[inbox(group)], collect_s=0) for group, sub in subscriptions().items()]
    world.ask("jon")
    world.ask("bob", key="bob-wants-another")
    _no_false_alarm(audit())
    moved = 1
    while moved:
        moved = 0
        for step in (relay.step, *(lambda worker=worker: worker.step(0) for worker in workers)):
            moved += step()
            _no_false_alarm(audit())
    relay.release_lanes()
    world.expire("jon")
    _no_false_alarm(audit())
    world.settle()
    _no_false_alarm(audit())


def test_what_waits_behind_a_dead_letter_is_accounted_for(world: World, audit: Callable[..., Verdict]) -> None:
    park_a_follower(world)

    verdict = audit()

    _no_false_alarm(verdict)
    assert verdict.counts["unresolved"] == 2
    assert any(line.endswith("parked") for line in verdict.unresolved)


def test_audits_while_orders_are_placed_and_worked_off(world: World, audit: Callable[..., Verdict]) -> None:
    buyers = iter(("jon", "hal", "ivy"))
    stopped = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for name in buyers:
                world.ask(name, key=f"{name}-in-a-hurry")
                world.settle()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connections.close_all()
            stopped.set()

    thread = threading.Thread(target=work)
    thread.start()
    audits = 0
    while not stopped.is_set():
        # What buyers were told so far is written by them, not read while they write it.
        _no_false_alarm(audit(history=[]))
        audits += 1
    thread.join()
    assert failures == []
    assert audits > 1


def test_an_order_on_its_way_is_listed_as_unresolved(world: World, audit: Callable[..., Verdict]) -> None:
    world.ask("jon")
    verdict = audit()
    assert verdict.counts["unresolved"] == 1
    assert verdict.unresolved == (
        f"order {world.orders['jon']} of user {world.users['jon'].pk} in sale {world.kettles.pk}: undelivered",
    )
    assert verdict.as_json()["at_rest"] is False


def test_what_does_not_come_to_rest_in_time_breaks_liveness(world: World, audit: Callable[..., Verdict]) -> None:
    world.ask("jon")
    verdict = audit(wait_s=0.3)
    broken = [finding for finding in verdict.findings if not finding.ok]
    assert [finding.rule.number for finding in broken] == [12]
    assert f"orders: messages of orders.placed/{world.kettles.pk} (1)" in broken[0].offenders[1]


def test_waiting_ends_when_rest_is_there(world: World, audit: Callable[..., Verdict]) -> None:
    def work() -> None:
        try:
            world.settle()
        finally:
            connections.close_all()

    world.ask("jon")
    thread = threading.Thread(target=work)
    thread.start()
    verdict = audit(wait_s=20)
    thread.join()
    _no_false_alarm(verdict)
    assert verdict.as_json()["at_rest"] is True


def test_a_delayed_message_is_at_rest_until_it_is_due(world: World, audit: Callable[..., Verdict]) -> None:
    broker = make_broker()
    in_an_hour = Message(
        new_id(), "orders.placed", str(world.kettles.pk), "tests.Reminder", 1, b"{}", 0,
        deliver_at_ms=time.time_ns() // 1_000_000 + 3_600_000,
    )  # fmt: skip
    broker.produce([in_an_hour, replace(in_an_hour, id=new_id(), deliver_at_ms=1)])

    verdict = audit()
    _no_false_alarm(verdict)
    assert verdict.on_its_way == {f"delayed messages of orders.placed/{world.kettles.pk}, due": 1}

    world.settle()
    verdict = audit()
    _no_false_alarm(verdict)
    assert verdict.on_its_way == {}


def test_a_log_trimmed_by_its_retention_is_judged_by_what_is_left(world: World, audit: Callable[..., Verdict]) -> None:
    broker = make_broker()
    broker.topics = {**broker.topics, "orders.events": Topic("orders.events", partitions=4, retention_messages=3)}
    hearers = [group for group, subscription in subscriptions().items() if "orders.events" in subscription.topics]
    before = audit()

    gone = broker.trim("orders.events", hearers)

    verdict = audit()
    _no_false_alarm(verdict)
    assert gone > 10
    accounting = {finding.rule.number: finding.checked for finding in verdict.findings}[6]
    assert accounting == {finding.rule.number: finding.checked for finding in before.findings}[6] - gone


def test_what_is_settled_and_trimmed_while_the_audit_reads_is_not_lost(
    world: World, audit: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undelivered at its fence, gone when its log is read: the audit looks once more."""
    broker = make_broker()
    broker.topics = {**broker.topics, "orders.events": Topic("orders.events", partitions=4, retention_messages=0)}
    hearers = [group for group, subscription in subscriptions().items() if "orders.events" in subscription.topics]
    world.expire("cleo")
    relay = Relay(broker)
    relay.own_lanes()
    relay.step()
    relay.release_lanes()
    read, cuts = logs.tables, []

    def settle_and_trim_first(client: redis.Redis, fences: list[Fence]) -> dict:
        cuts.append(sum(fence.length for fence in fences if fence.topic == "orders.events"))
        if len(cuts) == 1:
            world.settle()
            assert broker.trim("orders.events", hearers) > 0
        return read(client, fences)

    monkeypatch.setattr(logs, "tables", settle_and_trim_first)

    _no_false_alarm(audit())

    assert len(cuts) == 2
    assert cuts[0] > cuts[1]


@pytest.mark.parametrize("to", [BEGINNING, END, "the middle"])
def test_a_group_that_was_put_elsewhere_is_judged_from_there(
    world: World, audit: Callable[..., Verdict], to: str
) -> None:
    broker = make_broker()
    world.ask("jon")
    broker.read("notifications", "nobody", ["orders.events"], 100, 0)  # so some of its entries are in nobody's hands
    for partition in broker.partitions("orders.events"):
        [*log] = broker.redis.xrange(keys.log("orders.events", partition))
        middle = log[len(log) // 2][0].decode() if log else BEGINNING
        broker.seek("notifications", "orders.events", partition, middle if to == "the middle" else to)
        _no_false_alarm(audit())
    world.settle()
    _no_false_alarm(audit())
    assert all(row.lag == 0 for row in broker.stats({"notifications": ["orders.events"]}))


def test_a_topic_that_grows_is_accounted_for_at_every_step(
    world: World, audit: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retries, dead letters and delayed messages move; the audit looks while they are between two partitions."""
    broker, topic = make_broker(), "orders.events"
    relay = Relay(broker)
    relay.own_lanes()
    for name in ("jon", "bob"):
        world.ask(name, key=f"{name}-wants-another")
    drained = [Worker(sub, broker, middlewares=[inbox(group)], collect_s=0) for group, sub in subscriptions().items()]
    while sum(worker.step(0) for worker in drained if worker.subscription.group == "orders"):
        relay.step()
    in_an_hour = time.time_ns() // 1_000_000 + 3_600_000
    for key in map(str, range(20)):
        nothing = Message(new_id(), topic, key, "tests.Nothing", 1, b"{}", 0)
        broker.produce([nothing, replace(nothing, id=new_id(), deliver_at_ms=in_an_hour)])
    held = broker.read("inventory", "nobody", [topic], 100, 0)
    assert len(held) > 20
    for n, delivery in enumerate(held):
        if n % 2:
            broker.bury("inventory", "nobody", delivery, Failure("burnt"))
        else:
            broker.retry("inventory", "nobody", delivery, 3_600, Failure("burnt"), count=True)
    looked = []

    def looked_after(name: str, script: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            reply = script(*args, **kwargs)
            if name.startswith(("split", "later_", "held", "open")) and reply and looked.count(name) < 2:
                looked.append(name)
                _no_false_alarm(audit())
            return reply

        return run

    monkeypatch.setattr(broker, "_scripts", {name: looked_after(name, s) for name, s in broker._scripts.items()})
    broker.grow(topic, 8)
    broker.read("inventory", "nobody", [topic], 100, 0)

    assert {"split_switch", "later_leave", "later_arrive", "held_leave", "held_arrive", "held_left", "open"} <= {
        *looked
    }
    rows = broker.stats({"inventory": [topic]})
    assert sum(row.moved for row in rows) == 0 < sum(row.moved for row in rows if int(row.partition) >= 4)
    monkeypatch.undo()
    relay.release_lanes()
