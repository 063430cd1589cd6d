"""A function called once per message: ours against no-op tasks of the peers, on one Redis, one worker process each."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from benchmarks.peers import OURS, PEERS, Peer, tally
from benchmarks.row import Row

ROUNDS = 3
ENOUGH_S = 40.0
WITHIN_S = 60.0  # for one worker to start and finish its count
STOP_S = 3.0


def rows(redis_url: str, *, peers: Sequence[Peer] = PEERS, share: float = 1.0, rounds: int = ROUNDS) -> Iterator[Row]:
    """share: of each system's count, and of the warm-up before it, which is a fifth of the count.

    Empties every database of this Redis.
    """
    client: Any = redis.Redis.from_url(redis_url)
    runners = [Runner(peer, redis_url, number, share) for number, peer in enumerate((OURS, *peers), start=1)]
    for runner in runners:
        runner.send()
    ours, *theirs = _medians(runners, rounds)
    for peer, rate in zip(peers, theirs, strict=True):
        yield Row("handler called per message", "messages/s", ours, f"{peer.title}, no-op task", rate, 10.0)
    name, rate = _best(peers, theirs)
    yield Row("  against the best of them", "messages/s", ours, name, rate, 10.0)
    # Peers that settle message by message wait for the disk each time. Without that they are at their best.
    usual = client.config_get("appendfsync")["appendfsync"]
    client.config_set("appendfsync", "everysec")
    ours, *theirs = _medians(runners, rounds)
    client.config_set("appendfsync", usual)
    name, rate = _best(peers, theirs)
    yield Row("  the same with appendfsync everysec", "messages/s", ours, name, rate, None)
    client.flushall()


def _medians(runners: Sequence[Runner], rounds: int) -> list[float]:
    """Everybody runs once a round. A machine too slow for all rounds within ENOUGH_S is measured by fewer."""
    measured: list[list[float]] = []
    deadline = time.monotonic() + ENOUGH_S
    while len(measured) < rounds and (not measured or time.monotonic() < deadline):
        measured.append([runner.run() for runner in runners])
    return [statistics.median(rates) for rates in zip(*measured, strict=True)]


def _best(peers: Sequence[Peer], rates: Sequence[float]) -> tuple[str, float]:
    best, rate = max(zip(peers, rates, strict=True), key=lambda pair: pair[1])
    return best.title, rate


class Runner:
    """One system: its messages are sent once, into a database of their own, and copied for each run."""

    def __init__(self, peer: Peer, redis_url: str, database: int, share: float) -> None:
        self.peer = peer
        server = redis_url.rsplit("/", 1)[0]
        self.url, self.store_url = f"{server}/0", f"{server}/{database}"
        self.client: Any = redis.Redis.from_url(self.url)
        self.store: Any = redis.Redis.from_url(self.store_url)
        self.count = max(50, int(peer.count * share))
        self.warmup = self.count // 5

    def send(self) -> None:
        self.store.flushdb()
        # More than are counted: a system must not run dry while the last ones are timed.
        total = self.warmup + self.count + 100
        code = f"from benchmarks.peers.{self.peer.module} import send; send({total})"
        environment = self._environment(self.store_url, Path(os.devnull))
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True)

    def run(self) -> float:
        """Messages per second of a worker started for this, after its warm-up."""
        self.client.flushdb()
        for key in self.store.scan_iter():
            self.store.copy(key, key, destination_db=0)
        with tempfile.TemporaryDirectory() as folder:
            result, log = Path(folder) / "seconds", Path(folder) / "log"
            with log.open("wb") as errors:
                worker = subprocess.Popen(
                    self.peer.command,
                    env=self._environment(self.url, result),
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,
                )
            try:
                self._wait_for(result, worker, log)
                return self.count / float(result.read_text())
            finally:
                _end(worker)

    def _wait_for(self, result: Path, worker: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not result.exists():
            if worker.poll() is not None or time.monotonic() > deadline:
                last_words = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.peer.name} did not finish {self.count} messages: {last_words}")
            time.sleep(0.02)

    def _environment(self, url: str, result: Path) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "PYTHONWARNINGS": "ignore",
            tally.REDIS_URL: url,
            tally.WARMUP: str(self.warmup),
            tally.COUNT: str(self.count),
            tally.RESULT: str(result),
        }


def _end(worker: subprocess.Popen[bytes]) -> None:
    """The worker and all it started: they have a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
