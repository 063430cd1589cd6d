"""The autoscaler with real consumers: on real lag they grow, drain and shrink, and nobody misses whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from queueing import keys
from queueing.autoscaler.records import Hold
from queueing.autoscaler.timeline import carry
from queueing.models import ScaleEvent
from tests.drills.diner.crew import Crew
from tests.drills.diner.events import GROUP
from tests.drills.harness import BASE, until

pytestmark = pytest.mark.drill
SCALING = {"most": 4, "up": 40, "down": 5, "drain_target_s": 0.2, "up_pause_s": 0.3, "down_pause_s": 0.5}


class Autoscaler:
    """`manage.py autoscale`, running."""

    def __init__(self, crew: Crew, log: Path, *options: str) -> None:
        self.crew, self.log = crew, log
        environment = {
            **crew.environment, "PYTHONUNBUFFERED": "1", "DINER_BATCH": "2", "DINER_TAKES_S": "0.1",
            "DINER_SCALING": json.dumps(SCALING),
        }  # fmt: skip
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "autoscale", *options],
                cwd=BASE,
                env=environment,
                stdout=said,
                stderr=said,
            )

    def consumers(self) -> list[psutil.Process]:
        """Its children, those that are on their way out, too."""
        return psutil.Process(self.process.pid).children()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, condition: Callable[[], object], what: str, *, within_s: float = 30) -> None:
        until(condition, lambda: f"{what}\n{dict(self.crew.total())}\n{self.said()[-3000:]}", within_s=within_s)

    def at_work(self) -> list[int]:
        """Those that have begun to read, by what Redis knows of them."""
        return [about.pid for about in self.crew.broker.abouts(GROUP).values()]

    def close(self) -> None:
        if self.process.poll() is None:
            for process in [*self.consumers(), self.process]:
                process.kill()
            self.process.wait(timeout=20)


Start = Callable[..., Autoscaler]


@pytest.fixture
def start(crew: Crew, tmp_path: Path) -> Iterator[Start]:
    started: list[Autoscaler] = []

    def run(*options: str) -> Autoscaler:
        started.append(Autoscaler(crew, tmp_path / f"autoscaler-{len(started)}", *options))
        return started[-1]

    yield run
    for autoscaler in started:
        autoscaler.close()


def test_a_life_of_the_autoscaler(crew: Crew, start: Start) -> None:
    """One start serves many questions, since each costs seconds."""
    scaler = start()
    scaler.until(lambda: len(scaler.at_work()) == 1, "its least at work")
    (first,) = scaler.consumers()
    assert first.name() == GROUP, "top shows which group it works for"
    assert os.getsid(first.pid) == first.pid

    # Lag: it grows, step by step.
    crew.order(200)
    scaler.until(lambda: len(scaler.at_work()) == 4, "its most at work")

    # Fewer are wanted in the middle of the work: who is told to leave finishes first, and nothing comes twice.
    hold = Hold(consumers=1, until_ms=int(crew.broker.redis.time()[0]) * 1000 + 60_000)
    crew.broker.redis.hset(keys.scale(GROUP), "hold", msgspec.json.encode(hold))
    scaler.until(lambda: scaler.consumers() == [first], "the others have left")
    assert crew.total()["lag"] > 0, "there was work left"
    assert crew.total()["in_flight"] <= 2, "the batch of the one that stays"
    assert " took over " not in scaler.said()
    crew.broker.redis.hdel(keys.scale(GROUP), "hold")
    scaler.until(lambda: len(scaler.at_work()) == 4, "its most again")

    # One is killed in the middle of its work, another stands still: both are replaced, and nothing is lost.
    first.kill()
    frozen = next(child for child in scaler.consumers() if child != first)
    frozen.suspend()
    scaler.until(lambda: "(killed by SIGKILL); another starts in 0.5 s" in scaler.said(), "the killed one is missed")
    scaler.until(lambda: f"consumer {frozen.pid} stood still for" in scaler.said(), "frozen")

    # The backlog is gone: it shrinks.
    scaler.until(lambda: len(scaler.consumers()) == 1, "its least again")
    crew.wait_for_rest()
    crew.each_was_served_once()

    # Told to stop, all leave in time.
    scaler.process.send_signal(signal.SIGTERM)
    assert scaler.process.wait(timeout=10) == 0
    assert "did not leave in time" not in scaler.said()

    # Each step is on the timeline, once, and stays there.
    client = crew.broker.redis
    assert carry(client) > 0
    assert carry(client) == 0
    steps = ScaleEvent.objects.exclude(direction__in=["hold", "replaced"]).order_by("at")
    assert [event.desired for event in steps if event.direction == "up"][:2] == [2, 4]
    assert [event.desired for event in steps if event.direction == "down"][:2] == [2, 1]
    assert all(event.reason and event.supervisor for event in steps)
    assert ScaleEvent.objects.filter(direction="replaced").count() >= 2


@pytest.mark.parametrize("options", [(), ("--spawn",)], ids=["forked", "spawned"])
def test_consumers_leave_by_themselves_when_their_supervisor_is_killed(
    crew: Crew, start: Start, options: tuple[str, ...]
) -> None:
    scaler = start(*options)
    crew.order(40)
    scaler.until(lambda: len(crew.served()) > 2, "at work")
    children = scaler.consumers()

    scaler.process.kill()
    scaler.process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)

    assert children
    assert not alive
    served = len(crew.served())
    assert crew.total()["in_flight"] == 0, "they finished their batches and settled them"
    assert served < crew.ordered

    # A new one goes on where they stopped.
    again = start()
    crew.wait_for_rest()
    crew.each_was_served_once()
    assert " took over " not in again.said()
