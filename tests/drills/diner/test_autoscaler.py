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

    def __init__(self, crew: Crew, log: Path, *options: str, lease_s: float = 1) -> None:
        self.crew, self.log = crew, log
        environment = {
            **crew.environment, "PYTHONUNBUFFERED": "1", "DINER_BATCH": "2", "DINER_TAKES_S": "0.1",
            "DINER_SCALING": json.dumps(SCALING), "DINER_LEASE_S": str(lease_s),
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


def hold(crew: Crew, consumers: int) -> None:
    """As queueing.autoscaler.asking.hold does, which knows the shop's groups only."""
    until_ms = int(crew.broker.redis.time()[0]) * 1000 + 60_000
    held = Hold(consumers=consumers, until_ms=until_ms)
    crew.broker.redis.hset(keys.scale(GROUP), "hold", msgspec.json.encode(held))


Start = Callable[..., Autoscaler]


@pytest.fixture
def start(crew: Crew, tmp_path: Path) -> Iterator[Start]:
    started: list[Autoscaler] = []

    def run(*options: str, lease_s: float = 1) -> Autoscaler:
        started.append(Autoscaler(crew, tmp_path / f"autoscaler-{len(started)}", *options, lease_s=lease_s))
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


def test_two_share_a_group_and_nothing_comes_twice_when_they_shrink_or_one_is_killed(crew: Crew, start: Start) -> None:
    """With leases so long that only who really left a message behind has it taken over."""
    ada, sam = start(lease_s=10), start(lease_s=10)
    hold(crew, 4)
    for scaler in (ada, sam):
        scaler.until(lambda scaler=scaler: len(scaler.consumers()) == 2, "two each")

    def all_at_work() -> bool:
        if crew.total()["lag"] < 60:  # on a busy machine, two may have worked it all off before the third was seen
            crew.order(120)
        return len({pid for _, pid in crew.served()}) == 4

    ada.until(all_at_work, "all at work")
    crew.order(120)

    # Fewer are wanted in the middle of the work: who is told to leave finishes first.
    hold(crew, 3)
    ada.until(lambda: len(ada.consumers()) + len(sam.consumers()) == 3, "one has left")

    # She is killed: the pipes of her consumers close, the last of each other's too, and her share is taken over.
    hers = ada.consumers()
    ada.process.kill()
    ada.process.wait()
    psutil.wait_procs(hers, timeout=10)
    assert not any(map(psutil.Process.is_running, hers))
    assert crew.total()["lag"] > 0, "there was work left"
    sam.until(lambda: len(sam.consumers()) == 3, "her share taken over")

    crew.wait_for_rest()
    crew.each_was_served_once()
    assert " took over " not in ada.said() + sam.said(), "whoever left finished its batch and settled it"


def test_a_consumer_that_is_a_program_of_its_own_leaves_with_its_supervisor_too(crew: Crew, start: Start) -> None:
    scaler = start("--spawn")
    crew.order(20)
    scaler.until(lambda: crew.served(), "at work")
    (only,) = scaler.consumers()

    scaler.process.kill()
    scaler.process.wait()
    only.wait(timeout=10)

    assert crew.total()["in_flight"] == 0
    assert len(crew.served()) < crew.ordered, "it left before everything was done"
