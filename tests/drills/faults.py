"""The drills. Each round is one sale, one crowd and one kind of bad weather.

A drill returns what it did and saw, which is what makes its result worth something: who was hit by which signal, the
crash points reached, how many attempts to buy met the fault.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from config.stack.processes import GROUPS
from config.stack.ready import unwell
from queueing.crashpoint import CRASH_POINTS
from tests.drills.crowd import Crowd, Habits, Told
from tests.drills.harness import House, until

Seen = dict[str, Any]
SETTLED_WITHIN_S = 90.0
WAVE = 20  # buyers

# Who passes which points; those of consume.* are every group's.
CONSUME = tuple(point for point in CRASH_POINTS if point.startswith("consume."))
OWN_POINTS = {
    "web": ("orders.admitted", "payments.captured"),
    "relay": ("relay.produced", "relay.deleted"),
    "celery": ("notifications.sent",),
    "inventory": ("inventory.returned",),
}
# Who has work as soon as orders come, and who has it once they are paid.
UPSTREAM = ("orders", "inventory", "relay", "payments")
DOWNSTREAM = ("logistics", "notifications", "celery", "beat")


@dataclass(frozen=True, slots=True)
class Round:
    """thorough: every combination, not a choice by dice."""

    house: House
    sale: int
    stock: int
    buyers: int
    seed: str
    thorough: bool

    @property
    def dice(self) -> random.Random:
        return random.Random(self.seed)

    def crowd(self, *, part: int = 0, of: int = 1, told: Told | None = None, **habits: float) -> Crowd:
        """All buyers, or one part of them."""
        names = list(self.house.sessions)[: self.buyers][part::of]
        return Crowd(self.house, self.sale, names=names, habits=Habits(**habits), seed=self.seed, told=told)


@dataclass(frozen=True, slots=True)
class Drill:
    """stock, buyers: of one round. rounds: at full scale, which is ten."""

    run: Callable[[Round], Seen]
    stock: int
    buyers: int
    rounds: int

    @property
    def name(self) -> str:
        return self.run.__name__

    def stocks(self, scale: float) -> list[int]:
        """Of the sales it needs, one a round."""
        return [self.stock] * max(1, round(self.rounds * scale / 10))


def every_crash_point(given: Round) -> Seen:
    """Each process dies at its crash points by its own SIGKILL and comes back: none lost, none doubled, stock exact."""
    house, plan = given.house, deal(given.dice, thorough=given.thorough)
    for name, points in plan.items():
        house.arm(name, points)
    for name in plan:
        house.hit(name)  # its next life is armed
    expected = {name: [point.partition("#")[0] for point in points] for name, points in plan.items()}

    def missing() -> dict[str, list[str]]:
        return {
            name: points[len(house.reached(name)) :]
            for name, points in expected.items()
            if house.reached(name) != points
        }

    waves, told = given.buyers // WAVE, Told()
    for wave in range(waves):  # a point that nobody passed any more gets more to pass
        with given.crowd(part=wave, of=waves, told=told, pay=0.5, cancel=0.3):
            pass
        if not missing():
            break
    until(lambda: not missing(), lambda: f"reached: {missing()}")
    _settle(given, told)
    return {"reached": plan, **_met(told)}


def deal(dice: random.Random, *, thorough: bool) -> dict[str, list[str]]:
    """Process → its crash points, with the passing at which it dies. By dice, each group gets one of consume.*."""
    groups = list(GROUPS)
    dice.shuffle(groups)
    plan: dict[str, list[str]] = {}
    for number, group in enumerate(groups):
        plan[group] = list(CONSUME) if thorough else [CONSUME[number % len(CONSUME)]]
    for name, points in OWN_POINTS.items():
        plan[name] = plan.get(name, []) + list(points)
    for points in plan.values():
        dice.shuffle(points)
    latest = 3 if thorough else 2
    return {name: [f"{point}#{dice.randint(1, latest)}" for point in points] for name, points in plan.items()}


def each_process_killed_once(given: Round) -> Seen:
    """Consumers, relay, Celery and beat, each SIGKILLed once during a sale: exactly its units are sold."""
    early, late = given.dice.sample(UPSTREAM, len(UPSTREAM)), given.dice.sample(DOWNSTREAM, len(DOWNSTREAM))
    with given.crowd(pay=0.4, over_s=4.0) as crowd:
        for number, name in enumerate(early, start=1):
            crowd.when("admitted", given.stock * number // 5)
            given.house.hit(name)
        for number, name in enumerate(late, start=1):
            crowd.when("paid", number * 2)
            given.house.hit(name)
    _settle(given, crowd.told)
    assert len(crowd.told.orders) == given.stock, f"{len(crowd.told.orders)} of {given.stock} sold"
    return {"killed": [*early, *late], **_met(crowd.told)}


def redis_away(given: Round) -> Seen:
    """Redis killed, and stopped politely: 503 meanwhile, then it goes on by itself."""
    return _server_away(given, "valkey", "redis", (signal.SIGKILL, signal.SIGTERM), must_refuse=True)


def postgres_away(given: Round) -> Seen:
    """PostgreSQL stopped fast, at once, and its first process killed: 503 or waiting meanwhile, then on by itself."""
    return _server_away(given, "postgres", "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))


def _server_away(
    given: Round, name: str, component: str, signals: Sequence[signal.Signals], *, must_refuse: bool = False
) -> Seen:
    house, told = given.house, Told()
    for part, number in enumerate(signals):
        with given.crowd(part=part, of=len(signals), told=told, pay=0.3, over_s=1.5) as crowd:
            crowd.when("asked", told.done["asked"] + 3)
            with house.held(name):
                house.wait_until_ended(house.hit(name, number))
                asked, refused = told.done["asked"], told.refused()
                until(lambda: component in unwell(house.port), f"/healthz does not say that {component} is away")
                until(lambda asked=asked: told.done["asked"] >= asked + 5, "nobody asked while it was away")
                until(lambda refused=refused: told.refused() > refused or not must_refuse, "nobody was refused")
    _settle(given, told)
    house.wait_until_well()
    return {"signals": [number.name for number in signals], **_met(told)}


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
    _settle(given, told)
    return {"asked_again": len(buyers), **_met(told)}


def _worker(web: psutil.Process) -> psutil.Process:
    """granian's worker; the parent only watches it."""
    return next(iter(web.children()))


def everything_killed(given: Round) -> Seen:
    """All processes and both servers at once, as a power cut would; started again, it comes to rest."""
    with given.crowd(pay=0.4, cancel=0.1, over_s=3.0) as crowd:
        crowd.when("admitted", given.stock // 3)
        killed = given.house.kill_everything()
        given.house.start()
    _settle(given, crowd.told)
    return {"killed": killed, **_met(crowd.told)}


def _settle(given: Round, told: Told) -> None:
    """Wait until what buyers were told has come true: exactly these orders, each where it was sent, stock exact."""
    house = given.house

    def differences() -> dict[str, Any]:
        rows = house.orders(given.sale)
        found: dict[str, Any] = {
            order: f"{rows.get(order)}, not {told.fates.get(order)}"
            for order in {*rows, *told.fates}
            if rows.get(order) != told.fates.get(order)
        }
        taken = sum(fate != "cancelled" for fate in told.fates.values())
        if house.left(given.sale) != given.stock - taken:
            found["left"] = f"{house.left(given.sale)}, not {given.stock} - {taken}"
        return found

    until(lambda: not differences(), lambda: f"true: {differences()}\n{house.last_words()}", within_s=SETTLED_WITHIN_S)
    assert not told.bugs(), f"answers that no weather excuses: {told.bugs()}"


def _met(told: Told) -> Seen:
    return {
        "buyers": told.done["asked"],
        "sold": sum(fate != "cancelled" for fate in told.fates.values()),
        "attempts_unanswered": told.statuses["place", 0],
        "attempts_answered_503": told.statuses["place", 503],
    }


DRILLS = {
    drill.name: drill
    for drill in (
        Drill(every_crash_point, stock=200, buyers=160, rounds=3),
        Drill(each_process_killed_once, stock=50, buyers=200, rounds=5),
        Drill(redis_away, stock=40, buyers=80, rounds=5),
        Drill(postgres_away, stock=60, buyers=90, rounds=5),
        Drill(web_killed_in_a_burst, stock=60, buyers=80, rounds=5),
        Drill(everything_killed, stock=40, buyers=80, rounds=4),
    )
}
