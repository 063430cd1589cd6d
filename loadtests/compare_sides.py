"""The two shops as a comparison sees them, and one run of one of them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Protocol

from loadtests import spike_figures
from loadtests.coupled.running import CHAIN_MS, Coupled, frozen
from loadtests.generator import Fired
from loadtests.lag import wait_until
from loadtests.stack import Stack, StackFailed

KEPT = 16
CONFIRMED = "confirmed"  # the stock is deducted, and the payment may begin

Line = dict[str, Any]
Side = dict[str, Any]


def one_side(shop: Shop, send: Callable[[], Fired], *, stopped: bool, settle_s: float) -> tuple[Side, Fired]:
    """One run of one shop. stopped: its inventory stands still until every buyer has an answer, or gave up."""
    before = shop.completed([])
    with frozen(shop.inventory_pids) if stopped else nullcontext():
        fired = send()
        lines = fired.lines()
        at_once = shop.completed(lines) - before
    began = time.monotonic()
    yes = {line["order_id"] for line in lines if spike_figures.fate(line) == "admitted"}

    def settled() -> bool:
        # What a frozen service had in its sockets is worked on within a second, though nobody waits for it any more.
        woken = not stopped or time.monotonic() - began > CHAIN_MS / 1000 * 2
        return woken and yes <= shop.completed(lines)

    with suppress(StackFailed):  # who is never completed is a figure
        wait_until(settled, within_s=settle_s, what="not all completed")
    later = shop.completed(lines) - before - at_once
    figures = spike_figures.of(lines, seconds=len(lines))
    wanted = ("offered", "answered", "admitted", "errors", "answers", "p50_ms", "p99_ms", "latency_ms")
    side = {name: figures[name] for name in wanted} | {
        "at_once": len(at_once),
        "later": len(later),
        "never": len(lines) - len(at_once) - len(later),
        "seconds_to_later": round(time.monotonic() - began, 1),
        "over_time": answers_over_time(lines),
        "locust": fired.locust,
        "shop_says": shop.says(at_once | later, yes),
        "funnel": spike_figures.funnel(figures),
    }
    return side, fired


def answers_over_time(lines: Sequence[Line]) -> list[dict[str, float]]:
    """Every half second: buyers who had a yes by then, and who had a no."""
    found = []
    last_s = max((line.get("at_s", 0.0) for line in lines), default=0.0)
    for half in range(int(last_s * 2) + 2):
        by_then = [line for line in lines if "at_s" in line and line["at_s"] <= half / 2]
        yes = sum(spike_figures.fate(line) == "admitted" for line in by_then)
        found.append({"s": half / 2, "yes": yes, "no": len(by_then) - yes})
    return found


class Shop(Protocol):
    """One of the two. inventory_pids: the processes that deduct stock.

    connections: how many the buyers keep. Where an answer may take long each order needs its own, or one buyer's order
    would wait behind another's; a gateway closes a connection on which it hears nothing for five seconds.
    """

    name: str
    url: str
    connections: int
    inventory_pids: list[int]

    def completed(self, lines: Sequence[Line]) -> set[str]:
        """Orders that have come to their end; of these lines, where the shop has to be asked one by one."""

    def says(self, completed: set[str], yes: set[str]) -> int:
        """How many of those who were answered yes the shop itself knows to be orders."""


class Calls:
    name = "coupled"

    def __init__(self, coupled: Coupled, *, buyers: int) -> None:
        self.url, self.inventory_pids, self._coupled = coupled.url, coupled.inventory_pids, coupled
        self.connections = buyers

    def completed(self, lines: Sequence[Line]) -> set[str]:
        return self._coupled.orders("completed")

    def says(self, completed: set[str], yes: set[str]) -> int:
        return len(completed & yes & self._coupled.done_by("logistics"))


class Queue:
    name = "queue"

    def __init__(self, stack: Stack, inventory_pids: list[int]) -> None:
        self.url, self.inventory_pids, self._stack = stack.url, inventory_pids, stack
        self.connections = KEPT
        self._known: set[str] = set()

    def completed(self, lines: Sequence[Line]) -> set[str]:
        for line in lines:
            if spike_figures.fate(line) == "admitted" and line["order_id"] not in self._known:
                order = self._stack.get(f"/api/orders/{line['order_id']}", token=line["token"])
                if any(step["status"] == CONFIRMED for step in order.get("timeline", [])):
                    self._known.add(line["order_id"])
        return set(self._known)

    def says(self, completed: set[str], yes: set[str]) -> int:
        return len(completed & yes)


def consumers_of(stack: Stack, group: str) -> list[int]:
    """The processes of a group.

    Raises:
        StackFailed: none runs on this machine.
    """
    groups = json.loads(stack.manage("queue", "consumers", "--json"))
    consumers = [one for found in groups if found["group"] == group for one in found["consumers"]]
    pids = [
        one["about"]["pid"]
        for one in consumers
        if one["alive"] and one["about"] and one["about"]["host"] == socket.gethostname()
    ]
    if not pids:
        raise StackFailed(f"no consumer of {group} runs on this machine, and only one that does can be stopped")
    return pids
