"""The systems that call a function per message, each as its own worker process, set as fast as we found it to be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Peer:
    """module: has `send(messages)`. command: its worker. count: messages that are timed; a slow system gets fewer."""

    name: str
    module: str
    command: tuple[str, ...]
    count: int

    @property
    def title(self) -> str:
        return f"{self.name} {version(self.name)}"


OURS = Peer("ours", "ours_peer", (sys.executable, "-m", "benchmarks.peers.ours_peer"), 60_000)
PEERS = (
    Peer(
        "celery",
        "celery_peer",
        # No options but these: they only take away what a no-op does not need.
        (
            *(f"{BIN}/celery", "-A", "benchmarks.peers.celery_peer", "worker", "--pool=prefork", "--concurrency=1"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=CRITICAL"),
        ),
        500,
    ),
    Peer(
        "dramatiq",
        "dramatiq_peer",
        (f"{BIN}/dramatiq", "benchmarks.peers.dramatiq_peer", "--processes=1", "--threads=32"),
        4_000,
    ),
    Peer(
        "taskiq",
        "taskiq_peer",
        (
            *(f"{BIN}/taskiq", "worker", "benchmarks.peers.taskiq_peer:broker", "--workers=1", "--log-level=ERROR"),
            *("--no-parse", "--max-async-tasks=500", "--max-prefetch=500"),
        ),
        4_000,
    ),
    Peer(
        "faststream",
        "faststream_peer",
        (f"{BIN}/faststream", "run", "benchmarks.peers.faststream_peer:app"),
        4_000,
    ),
)
