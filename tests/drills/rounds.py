"""What every drill is made of: a round is one sale and one crowd, and ends when all that was promised has come true."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.drills import proof
from tests.drills.buyer import Habits, Told
from tests.drills.crowd import Crowd
from tests.drills.harness import House, until

Seen = dict[str, Any]
SETTLED_WITHIN_S = 90.0


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


def settle(given: Round, told: Told) -> None:
    """Wait until what buyers were told has come true: exactly these orders, each where it was sent, stock exact."""
    house = given.house

    def differences() -> dict[str, Any]:
        rows = proof.orders(house, given.sale)
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
    house.wait_until_well()
    assert not told.bugs(), f"answers that no weather excuses: {told.bugs()}"


def met(told: Told) -> Seen:
    return {
        "buyers": told.done["asked"],
        "sold": sum(fate != "cancelled" for fate in told.fates.values()),
        "attempts_unanswered": told.statuses["place", 0],
        "attempts_answered_503": told.statuses["place", 503],
    }
