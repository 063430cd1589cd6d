"""What a group may have: declared with its subscription."""

from __future__ import annotations

from dataclasses import dataclass, replace

UP, DOWN = 10_000, 1_000  # messages of lag: the seeds' rule


@dataclass(frozen=True, slots=True)
class Limits:
    """How a group may grow and shrink. A growing step doubles, a shrinking one halves.

    least, most: consumers. The most of an ordered group is also no more than its partitions.
    up, down: lag in messages above which it grows, below which it shrinks. Between them it stays as it is.
    drain_target_s: a backlog that the present consumers empty sooner than this is left to them.
    up_pause_s: after growing, until the new consumers can be judged; and so far ahead a rising lag is foreseen.
    down_pause_s: of low lag, before each step down.
    """

    least: int = 1
    most: int = 4
    up: int = UP
    down: int = DOWN
    drain_target_s: float = 10.0
    up_pause_s: float = 4.0
    down_pause_s: float = 15.0

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.most:
            raise ValueError(f"at least {self.least} and at most {self.most} consumers cannot both be")
        if not 0 <= self.down < self.up:
            raise ValueError(f"shrinking below {self.down} and growing above {self.up} messages would never rest")
        if min(self.drain_target_s, self.up_pause_s, self.down_pause_s) < 0:
            raise ValueError("a target or a pause of less than no seconds")

    def within(self, consumers: int) -> int:
        return min(max(consumers, self.least), self.most)

    def at_most(self, consumers: int) -> Limits:
        most = max(1, min(self.most, consumers))
        return replace(self, least=min(self.least, most), most=most)
