"""The state of all topics, and what each part of the broker needs to know: which partitions there are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from queueing.about import About
from queueing.broker import BEGINNING, END, Position
from queueing.brokers.memory.history import History
from queueing.brokers.memory.state import GroupView, Later
from queueing.layout import Layout, in_order
from queueing.message import Message
from queueing.series import LogTotals
from queueing.topic import Topic


@dataclass
class MemoryBase:
    """clock: seconds; virtual in simulations."""

    topics: Mapping[str, Topic]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = lambda _: None
    _logs: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    _stamps: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _histories: dict[tuple[str, str], History[LogTotals]] = field(default_factory=dict)
    _later: dict[tuple[str, str], Later] = field(default_factory=dict)
    _trimmed: dict[tuple[str, str], int] = field(default_factory=dict)
    _starts: dict[str, Position] = field(default_factory=dict)
    _groups: dict[tuple[str, str, str], GroupView] = field(default_factory=dict)
    _layouts: dict[str, Layout] = field(default_factory=dict)
    _switches: dict[tuple[str, str], int] = field(default_factory=dict)  # what its parent had when it was split from it
    _opened: set[tuple[str, str, str]] = field(default_factory=set)
    _beats: dict[str, dict[str, str]] = field(default_factory=dict)
    _abouts: dict[str, dict[str, About]] = field(default_factory=dict)
    _paused: set[str] = field(default_factory=set)
    _tide: int = 0
    _debts: dict[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)
    _caps: dict[str, dict[str, float | None]] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def ensure_partition(self, topic: str, partition: str) -> None:
        self._logs.setdefault((topic, partition), [])
        self._stamps.setdefault((topic, partition), [])
        self._later.setdefault((topic, partition), Later())

    def partitions(self, topic: str) -> list[str]:
        declared = self.topics[topic]
        first = [] if declared.dynamic else map(str, range(declared.partitions))
        return in_order({partition for name, partition in self._logs if name == topic} | set(first))

    def _noting(self, group: str, topic: str, partition: str) -> GroupView:
        """The view whose counters change now."""
        view = self._groups[topic, partition, group]
        view.history.note(int(self.clock()), view.totals)
        return view

    def _appended(self, where: tuple[str, str]) -> int:
        return self._trimmed.get(where, 0) + len(self._logs.get(where, []))

    def _layout(self, topic: str) -> Layout:
        return self._layouts.setdefault(topic, Layout(self.topics[topic].partitions))

    def _begin(self, group: str, topic: str, partition: str) -> GroupView:
        view = self._groups.get((topic, partition, group))
        if view is None:
            view = self._groups[topic, partition, group] = GroupView()
            view.seek(self._index((topic, partition), self._starts.get(group, BEGINNING)))
        return view

    def _index(self, where: tuple[str, str], to: Position) -> int:
        first, stamps = self._trimmed.get(where, 0), self._stamps.get(where, [])
        end = first + len(stamps)
        if to in (BEGINNING, END):
            return first if to == BEGINNING else end
        if isinstance(to, int):
            return next((first + n for n, at in enumerate(stamps) if at * 1000 >= to), end)
        if not to.isdigit():
            raise ValueError(f"{to!r} is no offset; one looks like 17")
        return min(end, max(first, int(to)))
