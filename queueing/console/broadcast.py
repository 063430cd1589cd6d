"""One computation a period for all who listen, and none while nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

logger = logging.getLogger("queueing.console")

Make = Callable[[], bytes]

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="broadcast")


class Broadcast:
    """make: see stream.event_stream. Who is slow misses what came meanwhile and gets the newest next."""

    def __init__(self, make: Make, every_s: float) -> None:
        self._make, self._every_s = make, every_s
        self._listening = 0
        self._newest: bytes | None = None
        self._made = 0
        self._next: asyncio.Future[None] | None = None
        self._making: asyncio.Task[None] | None = None

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """The newest at once if somebody listens already, then each as it is made."""
        self._listening += 1
        try:
            if self._making is None:
                self._making = asyncio.create_task(self._go_on())
            elif self._newest is not None:
                yield self._newest
            seen = self._made
            while True:
                while self._made == seen:
                    await asyncio.shield(self._wait())
                seen = self._made
                if self._newest is not None:
                    yield self._newest
        finally:
            self._listening -= 1
            if not self._listening and self._making is not None:
                self._making.cancel()
                self._making = self._newest = self._next = None

    def _wait(self) -> asyncio.Future[None]:
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                self._newest = await loop.run_in_executor(_threads, self._once)
            except Exception:
                # Listeners hear nothing, and their pages say since when.
                logger.exception("nothing to tell to those who listen")
            else:
                self._made += 1
                if self._next is not None and not self._next.done():
                    self._next.set_result(None)
            await asyncio.sleep(max(self._every_s / 10, self._every_s - (loop.time() - began)))

    def _once(self) -> bytes:
        try:
            return self._make()
        finally:
            connections.close_all()  # this thread lives on, and a pooled connection must not live with it
