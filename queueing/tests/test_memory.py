from __future__ import annotations

from collections.abc import Callable

import pytest

from queueing.brokers.memory import MemoryBroker
from queueing.tests.conformance import TOPICS, BrokerConformance
from queueing.tests.dead_conformance import DeadConformance
from queueing.tests.growing_conformance import GrowingConformance
from queueing.tests.ordered_conformance import OrderedConformance
from queueing.tests.series_conformance import SeriesConformance


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TestMemoryBroker(BrokerConformance, SeriesConformance, OrderedConformance, DeadConformance, GrowingConformance):
    @pytest.fixture
    def clock(self) -> Clock:
        clock = Clock()
        clock.advance(1_000)  # a time stamp of 0 is none
        return clock

    @pytest.fixture
    def broker(self, clock: Clock) -> MemoryBroker:
        return MemoryBroker(TOPICS, clock=clock, sleep=clock.advance)

    @pytest.fixture
    def pass_time(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance

    @pytest.fixture
    def now_ms(self, clock: Clock) -> Callable[[], int]:
        return lambda: int(clock.now * 1000)
