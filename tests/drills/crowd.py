"""Everybody at once, in threads, while the drill watches and does its harm."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.drills.buyer import GIVE_UP_S, Buyer, Habits, Told
from tests.drills.harness import House, until


class Crowd:
    """Comes in evenly while the context lasts; its end waits until the last has gone home."""

    def __init__(
        self, house: House, sale: int, *, names: Sequence[str], habits: Habits, seed: str, told: Told | None = None
    ) -> None:
        self.told = told or Told()
        self.buyers = [Buyer(house, sale, name, self.told, random.Random(f"{seed}-{sale}-{name}")) for name in names]
        self.habits = habits
        self._go_home = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(buyer, habits.over_s * number / len(names)), daemon=True)
            for number, buyer in enumerate(self.buyers)
        ]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        """Everybody has gone home; raises what went wrong for them."""
        if kind is not None:
            self._go_home.set()
            return
        for thread in self._threads:
            thread.join(GIVE_UP_S * 2)
        assert not self.told.problems, (
            f"{len(self.told.problems)} buyers in trouble, the first: {self.told.problems[0]}"
        )

    def when(self, what: str, number: int) -> None:
        """Return as soon as so many have done this (asked, admitted, paid …)."""
        until(
            lambda: self.told.done[what] >= number or self.told.problems,
            lambda: f"{number} {what}, only {self.told.done}",
            within_s=GIVE_UP_S,
        )

    def _live(self, buyer: Buyer, after_s: float) -> None:
        if self._go_home.wait(after_s):
            return
        buyer.deadline = time.monotonic() + GIVE_UP_S
        try:
            buyer.live(self.habits)
        except Exception as problem:
            self.told.problems.append(f"{type(problem).__name__}: {problem}")
