"""Reading: new entries, retried messages that are due, and what a dead consumer held."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from queueing import keys
from queueing.broker import SAVED_UP_S
from queueing.brokers.envelope import from_entry, from_json
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.message import Delivery

# A consumer that keeps reading looks for new partitions this often, and an idle one after each wait: together a new
# partition is noticed within a second.
LOOK_S, NOTICE_S = 0.5, 1.0


class Consuming(RedisBase):
    @speaks_broker
    def read(self, group: str, consumer: str, topics: Sequence[str], limit: int, wait_s: float) -> list[Delivery]:
        # Who does not wait wants to know what there is now.
        where, age_s = self._join_lately(group, topics, within_s=LOOK_S if wait_s > 0 else 0.0)
        if not where:
            time.sleep(min(wait_s, NOTICE_S - age_s))
            return []
        by_log = {keys.log(topic, partition).encode(): (topic, partition) for topic, partition in where}
        reply = self.redis.xreadgroup(
            group,
            consumer,
            dict.fromkeys(by_log, ">"),
            count=limit,
            block=max(1, int(min(wait_s, NOTICE_S - age_s) * 1000)) if wait_s > 0 else None,
        )
        deliveries = []
        for log, entries in reply.items() if isinstance(reply, Mapping) else reply or ():  # RESP3 or RESP2
            topic, partition = by_log[log]
            deliveries += [
                Delivery(from_entry(topic, offset, flat), partition, offset.decode()) for offset, flat in entries
            ]
        return deliveries

    @speaks_broker
    def read_due(self, group: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        where, _ = self._join_lately(group, topics, within_s=LOOK_S)
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition in where:
                pipe.zcard(keys.retry(topic, partition, group))
            sizes = pipe.execute()
        found: list[Delivery] = []
        for (topic, partition), size in zip(where, sizes, strict=True):
            if not size or len(found) >= limit:
                continue
            replies = self._scripts["due"](
                keys=[
                    keys.retry(topic, partition, group),
                    keys.holders(topic, partition, group),
                    keys.waiting(topic, partition, group),
                ],
                args=[consumer, limit - len(found)],
            )
            found += [from_json(text).delivery(attempt) for _, text, attempt in replies]
        return found

    @speaks_broker
    def charge(self, group: str, messages: int, rate: float) -> float:
        arguments = [rate, rate * SAVED_UP_S, messages]
        return int(self._scripts["charge"](keys=[keys.rate(group)], args=arguments)) / 1_000_000

    @speaks_broker
    def take_over(self, group: str, dead: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        for topic, partition in self._join(group, topics):
            if len(found) >= limit:
                return found
            replies = self._scripts["take_over"](
                keys=[
                    keys.log(topic, partition),
                    keys.holders(topic, partition, group),
                    keys.retry(topic, partition, group),
                ],
                args=[group, dead, consumer, limit - len(found)],
            )
            for offset, attempts, flat in replies:
                found.append(
                    Delivery(
                        from_entry(topic, offset, flat),
                        partition,
                        offset.decode(),
                        attempt=attempts + 1,
                        alone=True,
                    )
                )
        if len(found) < limit:
            self.redis.hdel(keys.beats(group), dead)
            self.redis.hdel(keys.seen(group), dead)
        return found
