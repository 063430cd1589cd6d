"""Reading: new entries, retried messages that are due, and what a dead consumer held."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from queueing import keys
from queueing.broker import Where
from queueing.brokers.envelope import from_entry, from_json
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.message import Delivery

# A consumer that keeps reading looks for new partitions this often, and an idle one after each wait: together a new
# partition is noticed within a second.
LOOK_S, NOTICE_S = 0.5, 1.0


Entries = tuple[bytes, Sequence[tuple[bytes, list[bytes]]]]  # of one log: offset and fields each


class Consuming(RedisBase):
    @speaks_broker
    def read(
        self,
        group: str,
        consumer: str,
        topics: Sequence[str],
        limit: int,
        wait_s: float,
        without: Collection[Where] = (),
    ) -> list[Delivery]:
        # Who does not wait wants to know what there is now; unless there is something else to do.
        where, age_s = self._join_lately(group, topics, within_s=LOOK_S if wait_s > 0 or without else 0.0)
        where = [place for place in where if place not in without]
        if not where:
            time.sleep(max(0.0, min(wait_s, NOTICE_S - age_s)))
            return []
        by_log = {keys.log(topic, partition).encode(): (topic, partition) for topic, partition in where}
        wait_s = min(wait_s, NOTICE_S - age_s)
        if len(where) > 1 and self._is_cluster():
            logs = self._patience.wait(partial(self._read_each, group, consumer, by_log, limit), bool, wait_s)
        else:
            block = max(1, int(wait_s * 1000)) if wait_s > 0 else None
            logs = _logs(self.redis.xreadgroup(group, consumer, dict.fromkeys(by_log, ">"), count=limit, block=block))
        return [delivery for log, entries in logs for delivery in _deliveries(by_log[log], entries)]

    @speaks_broker
    def read_one(self, group: str, consumer: str, where: Where, limit: int) -> list[Delivery]:
        if where not in self._join_lately(group, [where[0]], within_s=LOOK_S)[0]:
            return []
        logs = _logs(self.redis.xreadgroup(group, consumer, {keys.log(*where): ">"}, count=limit))
        return [delivery for _, entries in logs for delivery in _deliveries(where, entries)]

    def _read_each(self, group: str, consumer: str, logs: Iterable[bytes], limit: int) -> list[Entries]:
        """The same as one XREADGROUP, by a command for each log: on a cluster they lie in different slots.

        Not by redis-py's pipeline: that takes thrice the processor time, and who is idle looks 11 times a second.
        """
        commands = [("XREADGROUP", "GROUP", group, consumer, "COUNT", limit, "STREAMS", log, ">") for log in logs]
        connection = self.redis.connection_pool.get_connection()
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            return [found for _ in commands for found in _logs(connection.read_response())]
        except BaseException:
            connection.disconnect()  # a reply that is left unread would answer the next question
            raise
        finally:
            self.redis.connection_pool.release(connection)

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
            self.redis.hdel(keys.about(group), dead)
        return found


def _deliveries(where: Where, entries: Sequence[tuple[bytes, list[bytes]]]) -> list[Delivery]:
    topic, partition = where
    return [Delivery(from_entry(topic, offset, flat), partition, offset.decode()) for offset, flat in entries]


def _logs(reply: Any) -> list[Entries]:
    """RESP3 answers with a map, RESP2 with pairs, both with nil for nothing."""
    return list(reply.items() if isinstance(reply, Mapping) else reply or ())
