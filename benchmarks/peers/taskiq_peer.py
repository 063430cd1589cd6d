"""taskiq on Redis Streams: its broker that acknowledges."""

from __future__ import annotations

import asyncio
import os

from taskiq_redis import RedisStreamBroker

from benchmarks.peers.tally import BODY, REDIS_URL, tally

broker = RedisStreamBroker(os.environ[REDIS_URL], consumer_id="0", xread_count=500)
count = tally()


@broker.task(task_name="noop")
async def noop(body: str) -> None:
    count()


def send(messages: int) -> None:
    async def all_of_them() -> None:
        await broker.startup()
        for _ in range(messages):
            await noop.kiq(BODY)
        await broker.shutdown()

    asyncio.run(all_of_them())
