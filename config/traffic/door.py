"""What the web process counts at its own door, before it knows what is asked.

Only the event loop adds to these, so nothing is lost and nothing is locked. They only grow.
"""

from __future__ import annotations


class Door:
    """passed: requests that reached the shop. shed: those that config/limits.py turned away, where no nginx does."""

    __slots__ = ("passed", "shed")

    def __init__(self) -> None:
        self.passed = self.shed = 0


DOOR = Door()
