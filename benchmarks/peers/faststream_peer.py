"""FastStream on a stream with a consumer group; it reads many at once, handles 32 at a time, acknowledges each."""

from __future__ import annotations

import asyncio
import os

import redis
from faststream import FastStream
from faststream.redis import RedisBroker, StreamSub

from benchmarks.peers.tally import BODY, REDIS_URL, tally

URL = os.environ[REDIS_URL]
STREAM, GROUP = "bench", "bench"

broker = RedisBroker(URL, logger=None)
app = FastStream(broker, logger=None)
count = tally()


@broker.subscriber(stream=StreamSub(STREAM, group=GROUP, consumer="ada", max_records=500), max_workers=32)
async def noop(body: str) -> None:
    count()


def send(messages: int) -> None:
    async def all_of_them() -> None:
        async with broker:
            for _ in range(messages):
                await broker.publish(BODY, stream=STREAM)

    with redis.Redis.from_url(URL) as client:  # FastStream would start its group at the end
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    asyncio.run(all_of_them())
