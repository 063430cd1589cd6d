"""The drills. Each returns what it did and saw, which is what makes its result worth something: who was hit by which
signal, the crash points reached, how many attempts to buy met the fault.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

import psutil
import redis

from config.stack.processes import GROUPS
from config.stack.ready import unwell
from queueing import keys
from queueing.faults import store
from queueing.faults.fault import Fault, Kind
from tests.drills.buyer import Told
from tests.drills.harness import House, until
from tests.drills.lost_data import older_file_restored, rebuilt_under_load, redis_emptied
from tests.drills.points import every_crash_point
from tests.drills.rounds import Drill, Round, Seen, met, settle

# Who has work as soon as orders come, and who has it once they are paid.
UPSTREAM = ("orders", "inventory", "autoscaler", "relay", "payments")
DOWNSTREAM = ("logistics", "notifications", "celery", "beat")


def each_process_killed_once(given: Round) -> Seen:
    """Consumers, autoscaler, relay, Celery and beat, each SIGKILLed once during a sale: exactly its units are sold."""
    early, late = given.dice.sample(UPSTREAM, len(UPSTREAM)), given.dice.sample(DOWNSTREAM, len(DOWNSTREAM))
    with given.crowd(pay=0.4, over_s=4.0) as crowd:
        for number, name in enumerate(early, start=1):
            crowd.when("admitted", given.stock * number // (len(early) + 1))
            given.house.hit(name)
        for number, name in enumerate(late, start=1):
            crowd.when("paid", number * 2)
            given.house.hit(name)
    settle(given, crowd.told)
    assert len(crowd.told.orders) == given.stock, f"{len(crowd.told.orders)} of {given.stock} sold"
    return {"killed": [*early, *late], **met(crowd.told)}


def redis_away(given: Round) -> Seen:
    """Redis killed, and stopped politely: 503 meanwhile, then it goes on by itself."""
    return _server_away(given, "valkey", "redis", (signal.SIGKILL, signal.SIGTERM), must_refuse=True)


def postgres_away(given: Round) -> Seen:
    """PostgreSQL stopped fast, at once, and its first process killed: 503 or waiting meanwhile, then on by itself."""
    return _server_away(given, "postgres", "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))


def _server_away(
    given: Round, name: str, component: str, signals: Sequence[signal.Signals], *, must_refuse: bool = False
) -> Seen:
    house, told, signals = given.house, Told(), given.dice.sample(signals, len(signals))
    for part, number in enumerate(signals):
        with given.crowd(part=part, of=len(signals), told=told, pay=0.3, over_s=1.5) as crowd:
            crowd.when("asked", told.done["asked"] + 3)
            with house.held(name):
                house.wait_until_ended(house.hit(name, number))
                asked, refused = told.done["asked"], told.refused()
                until(lambda: component in unwell(house.port), f"/healthz does not say that {component} is away")
                until(lambda asked=asked: told.done["asked"] >= asked + 5, "nobody asked while it was away")
                until(lambda refused=refused: told.refused() > refused or not must_refuse, "nobody was refused")
                assert told.done["admitted"] < given.stock, "nothing was left to sell while it was away"
    settle(given, told)
    return {"signals": [number.name for number in signals], **met(told)}


def web_killed_in_a_burst(given: Round) -> Seen:
    """The web's worker, and then its parent, SIGKILLed in a burst: asked again, each key has the order it had."""
    house, told = given.house, Told()
    buyers = []
    for part, choose in enumerate((_worker, lambda web: web)):
        with given.crowd(part=part, of=2, told=told, pay=0.1, over_s=0.5) as crowd:
            crowd.when("admitted", told.done["admitted"] + 5)
            refused = told.refused()
            choose(house.process("web")).kill()
        assert told.refused() > refused, "the burst was over before the kill"
        buyers += crowd.buyers
    for buyer in buyers:
        again, first = buyer.ask_again(), told.orders.get(buyer.key)
        same = {name: again.body.get(name) for name in ("order_id", "token", "total_cents")}
        assert first is None or same.items() <= first.items(), f"{buyer.name} was told {first}, and later {again}"
        assert (first is None) == (again.outcome != "ok"), f"{buyer.name}: first {first}, and later {again}"
    settle(given, told)
    return {"asked_again": len(buyers), **met(told)}


def _worker(web: psutil.Process) -> psutil.Process:
    """granian's worker; the parent only watches it."""
    return next(iter(web.children()))


def every_fault_of_the_room(given: Round) -> Seen:
    """All that the fault room offers, at once, while buyers buy and pay.

    All but one end by themselves after two seconds; the bank is slow until a buyer has met it, which takes longer on a
    busy machine.
    """
    house, here = given.house, socket.gethostname()
    with redis.Redis(port=house.redis_port) as client, given.crowd(pay=0.4, cancel=0.2, over_s=3.0) as crowd:
        crowd.when("admitted", 3)
        frozen = house.process("orders")
        bank = Fault(kind=Kind.BANK, value=0.5)
        faults = [
            Fault(kind=Kind.SMS, value=0.2),
            Fault(kind=Kind.DATABASE, value=200),
            Fault(kind=Kind.PACE, group="inventory", value=100),
            Fault(kind=Kind.LIFT, group="orders"),
            Fault(kind=Kind.FREEZE, group="orders", host=here, pid=frozen.pid),
        ]
        held = house.run("manage.py", "shell", "-v", "0", "-c", _STOP_PAYMENTS)
        for fault in (bank, *faults):
            assert store.begin(client, fault, seconds=60 if fault is bank else 2), fault
        until(lambda: frozen.status() == psutil.STATUS_STOPPED, "the consumer of orders stands still")
        until(lambda: [one.fault for one in store.running(client, GROUPS)] == [bank], "the others are over")
        until(lambda: frozen.status() != psutil.STATUS_STOPPED, "it goes on")
        until(lambda: _did(house, bank).get("asked"), "a buyer asked the bank")
        assert store.end(client, bank)
    settle(given, crowd.told)
    did = {fault.kind.value: _did(house, fault) for fault in (bank, *faults)}
    assert did["bank"]["asked"] == did["bank"]["answered"] > 0
    assert did["database"]["messages"] > 0
    return {"did": did, "held": held.strip(), **met(crowd.told)}


_STOP_PAYMENTS = "from queueing.autoscaler.asking import hold; hold('payments', 0, 2, 'a drill'); print('payments')"


def _did(house: House, fault: Fault) -> dict[str, int]:
    with redis.Redis(port=house.redis_port) as client:
        return {what.decode(): int(n) for what, n in client.hgetall(keys.fault_did(fault.id)).items()}


def everything_killed(given: Round) -> Seen:
    """All processes and both servers at once, as a power cut would; started again, it comes to rest."""
    with given.crowd(pay=0.4, cancel=0.1, over_s=3.0) as crowd:
        crowd.when("admitted", given.stock // 3)
        killed = given.house.kill_everything()
        given.house.start()
    settle(given, crowd.told)
    return {"killed": killed, **met(crowd.told)}


# Stocks are such that the last crowd of a round finds something to buy, and not enough.
DRILLS = {
    drill.name: drill
    for drill in (
        Drill(every_crash_point, stock=200, buyers=160, rounds=3),
        Drill(each_process_killed_once, stock=50, buyers=200, rounds=5),
        Drill(redis_away, stock=70, buyers=80, rounds=5),
        Drill(postgres_away, stock=80, buyers=90, rounds=5),
        Drill(web_killed_in_a_burst, stock=60, buyers=80, rounds=5),
        Drill(rebuilt_under_load, stock=60, buyers=80, rounds=4),
        Drill(redis_emptied, stock=60, buyers=90, rounds=4),
        Drill(older_file_restored, stock=60, buyers=90, rounds=4),
        Drill(every_fault_of_the_room, stock=60, buyers=90, rounds=3),
        Drill(everything_killed, stock=40, buyers=80, rounds=4),
    )
}
