"""The drill of the named crash points (queueing/crashpoint.py)."""

from __future__ import annotations

import random

from config.stack.processes import GROUPS
from queueing.crashpoint import CRASH_POINTS
from tests.drills.buyer import Told
from tests.drills.harness import until
from tests.drills.rounds import Round, Seen, met, settle

WAVE = 20  # buyers
# Who passes which points; those of consume.* are every group's.
# Passed when Redis lost data, or when an operator moves dead letters; killed there by tests of their own.
ELSEWHERE = tuple(point for point in CRASH_POINTS if point.startswith(("rebuild.", "letters.")))
CONSUME = tuple(point for point in CRASH_POINTS if point.startswith("consume."))
OWN_POINTS = {
    "web": ("orders.admitted", "payments.captured"),
    "relay": ("relay.taken", "relay.produced", "relay.deleted"),
    "celery": ("notifications.sent",),
    "inventory": ("inventory.returned",),
}


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
    settle(given, told)
    return {"reached": plan, **met(told)}


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
