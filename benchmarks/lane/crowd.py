"""The crowd: many connections, each with several requests on its way, in a process of its own.

It counts status lines and looks at nothing else, so that one core drives more than a server on the other can answer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections import Counter

from benchmarks.lane.served import CROWD_CORE, pin
from loadtests.edge import ADDRESS

OVERLAP = len(b"HTTP/1.1 200") - 1


class Shopper(asyncio.Protocol):
    """One connection: writes some requests together, waits for as many answers, writes the next."""

    def __init__(self, requests: list[bytes], pipelined: int, told: Counter[bytes], done: asyncio.Future[None]) -> None:
        self.batches = [b"".join(requests[at : at + pipelined]) for at in range(0, len(requests), pipelined)]
        self.batches.reverse()
        self.sizes = [len(requests[at : at + pipelined]) for at in range(0, len(requests), pipelined)]
        self.sizes.reverse()
        self.told, self.done, self.tail, self.missing = told, done, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def go(self) -> None:
        self.missing = self.sizes.pop()
        self.transport.write(self.batches.pop())

    def data_received(self, data: bytes) -> None:
        data = self.tail + data
        self.tail = data[-OVERLAP:]
        seen = data.count(b"HTTP/1.1 ") - self.tail.count(b"HTTP/1.1 ")
        for status in (b"202", b"200"):
            found = data.count(b"HTTP/1.1 " + status) - self.tail.count(b"HTTP/1.1 " + status)
            self.told[status] += found
            seen -= found
            self.missing -= found
        if seen:
            self.told[b"other"] += seen
            self.missing -= seen
        if self.missing == 0:
            if self.batches:
                self.go()
            elif not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.told[b"cut"] += 1
            self.done.set_result(None)


def storm(port: int, requests: list[bytes], *, connections: int, pipelined: int) -> tuple[float, dict[str, int]]:
    """Requests per second, and how many got which status."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        per_second, told = pool.apply(_storm, (port, requests, connections, pipelined))
    return per_second, {status.decode(): times for status, times in told.items() if times}


def _storm(port: int, requests: list[bytes], connections: int, pipelined: int) -> tuple[float, Counter[bytes]]:
    pin(os.getpid(), CROWD_CORE)

    async def run() -> tuple[float, Counter[bytes]]:
        loop, told = asyncio.get_running_loop(), Counter[bytes]()
        share = -(-len(requests) // connections)
        shoppers = []
        for at in range(0, len(requests), share):
            done: asyncio.Future[None] = loop.create_future()
            shopper = Shopper(requests[at : at + share], pipelined, told, done)
            await loop.create_connection(lambda shopper=shopper: shopper, "127.0.0.1", port, local_addr=(ADDRESS, 0))
            shoppers.append(shopper)
        started = time.perf_counter()
        for shopper in shoppers:
            shopper.go()
        await asyncio.wait_for(asyncio.gather(*(shopper.done for shopper in shoppers)), 60)
        return len(requests) / (time.perf_counter() - started), told

    return asyncio.run(run())
