"""How far the crowd is, in one line."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from loadtests.answers import FAIL, OK


@dataclass(slots=True)
class Progress:
    shoppers: int
    logged_in: int = 0
    shut_out: int = 0  # could not log in
    asked: int = 0
    admitted: int = 0
    sold_out: int = 0
    unknown: int = 0
    errors: int = 0
    paid: int = 0
    shipped: int = 0
    at_home: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def all_inside(self) -> bool:
        return self.logged_in + self.shut_out >= self.shoppers

    def count(self, outcome: str, code: str | None) -> None:
        """What a wish came to in the end."""
        if outcome == OK:
            self.admitted += 1
        elif outcome == FAIL and code == "sold_out":
            self.sold_out += 1
        elif outcome == FAIL:
            self.errors += 1
        else:
            self.unknown += 1

    def __str__(self) -> str:
        return (
            f"{time.monotonic() - self.began:4.0f} s  logged in {self.logged_in}/{self.shoppers}, asked {self.asked}: "
            f"{self.admitted} admitted, {self.sold_out} sold out, {self.unknown} unknown, {self.errors} errors; "
            f"{self.paid} paid, {self.shipped} shipped; {self.at_home} gone home"
        )
