"""The generator as its callers see it: a sale with a pass for everybody, a volley on a shared T0, what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.edge import source_for
from loadtests.stack import BASE, Stack, StackFailed
from loadtests.volley import PROCESS, VARIABLE, SpikePlan

START_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Fired:
    """t0: on time.monotonic()'s clock. locust: its own statistics. told: the history's lines, as bytes.

    written_s: when the last byte of the last request had left, in seconds after T0.
    """

    t0: float
    locust: list[dict[str, Any]]
    told: bytes
    written_s: float

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.told.splitlines()]


def open_sale(stack: Stack, folder: Path, *, shoppers: int, stock: int, prefix: str) -> tuple[int, Path]:
    """A sale that is open, and a file with a pass for each of so many shoppers. prefix: of the shoppers' names."""
    print(f"Making {shoppers:,} shoppers, a sale of {stock:,} units, and a pass for each shopper", flush=True)
    stack.manage("shoppers", "--count", str(shoppers), "--prefix", prefix)
    sale = json.loads(stack.manage("open_sale", "--stock", str(stock), "--limit", "1", "--minutes", "30", "--json"))[
        "sale"
    ]
    passes = folder / f"passes-{sale}"
    stack.manage("passes", "--sale", str(sale), "--prefix", prefix, "--count", str(shoppers), "--out", str(passes))
    deadline = time.monotonic() + 30
    while stack.get(f"/api/sales/{sale}").get("state") != "open":
        if time.monotonic() > deadline:
            raise StackFailed(f"sale {sale} did not open within 30 s")
        time.sleep(0.2)
    return int(sale), passes


def plan_for(
    url: str,
    *,
    sale: int,
    passes: Path,
    folder: Path,
    rate: float,
    seconds: float,
    connections: int,
    give_up_s: float,
    processes: int = 1,
    depth: int = 1,
    pipelined: bool = True,
) -> SpikePlan:
    """url: of the shop. folder: an empty one, of this volley alone. give_up_s: after the last send."""
    parts = urlsplit(url)
    return SpikePlan(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 80,
        source=source_for(url),
        sale_id=sale,
        rate=rate,
        seconds=seconds,
        processes=processes,
        connections=connections,
        depth=depth,
        pipelined=pipelined,
        passes=str(passes),
        folder=str(folder),
        give_up_s=seconds + give_up_s,
    )


def fire(plan: SpikePlan) -> Fired:
    """Start the generators, give them T0 when all connections are open, and wait for their end.

    Each process is a Locust of its own: Locust's master takes a worker for lost that does nothing but fire, and then
    waits for it for ever.

    Raises:
        StackFailed: one ended early, or took too long.
    """
    folder = Path(plan.folder)
    plan.write(folder / "plan.json")
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_generator(plan, index)) for index in range(plan.processes)]
        _until(started, lambda: len(list(folder.glob("ready-*"))) == plan.processes, within_s=START_WITHIN_S)
        t0 = time.monotonic() + 0.5
        unfinished = folder / "t0.new"
        unfinished.write_text(repr(t0))
        unfinished.rename(folder / "t0")
        print(f"{plan.offered:,} requests in {plan.seconds:g} s from now, {plan.connections} connections", flush=True)
        done_within_s = plan.give_up_s + 60
        _until(started, lambda: len(list(folder.glob("history-*.jsonl"))) == plan.processes, within_s=done_within_s)
        for generator in started:
            generator.process.wait(60)
    requests: Counter[str] = Counter()
    for path in folder.glob("locust-*.json"):
        for entry in json.loads(path.read_text()):
            requests[entry["name"]] += entry["num_requests"]
    return Fired(
        t0=t0,
        locust=[{"name": name, "requests": number} for name, number in requests.most_common()],
        told=b"".join(path.read_bytes() for path in sorted(folder.glob("history-*.jsonl"))),
        written_s=max(float(path.read_text()) for path in folder.glob("written-*")),
    )


@contextlib.contextmanager
def _generator(plan: SpikePlan, index: int) -> Iterator[_Generator]:
    folder = Path(plan.folder)
    command = [
        sys.executable, "-m", "locust", "-f", str(BASE / "loadtests" / "spike.py"), "--headless", "-u", "1",
        "--run-time", f"{START_WITHIN_S + plan.give_up_s:.0f}s", "--stop-timeout", "60", "--only-summary",
        "--loglevel", "WARNING", "--exit-code-on-error", "0", "--json-file", str(folder / f"locust-{index}"),
    ]  # fmt: skip
    environment = {**os.environ, VARIABLE: str(folder / "plan.json"), PROCESS: str(index), "PYTHONPATH": str(BASE)}
    said = folder / f"said-{index}"
    with said.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield _Generator(process, said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


class _Generator:
    """One Locust, and its progress, passed on as it comes."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self.process = process
        self._said, self._at, self._next_s = said, 0, 0.0

    def show(self) -> None:
        text = self._said.read_bytes()[self._at :]
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith("process ") or (" offered " in line and self._is_time(line)):
                print(line, flush=True)

    def _is_time(self, line: str) -> bool:
        """All of the first two seconds, then one line in five seconds."""
        at_s = float(line.split()[0])
        if at_s < self._next_s:
            return False
        self._next_s = at_s if at_s < 2 else at_s + 5
        return True

    def last_words(self) -> str:
        return (self._said.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def _until(started: Sequence[_Generator], done: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        for generator in started:
            generator.show()
            code = generator.process.poll()
            if code not in {None, 0}:
                raise StackFailed(f"the generator ended with {code}: {generator.last_words()}")
        if time.monotonic() > deadline:
            raise StackFailed(f"the generator took more than {within_s:.0f} s: {started[0].last_words()}")
        time.sleep(0.05)
    for generator in started:
        generator.show()
