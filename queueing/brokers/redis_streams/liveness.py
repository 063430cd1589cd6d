"""Who works, who holds something, and who has gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from queueing import keys
from queueing.about import About
from queueing.brokers.redis_seek import parts
from queueing.brokers.redis_streams.base import RedisBase, pairs, speaks_broker


class Liveness(RedisBase):
    @speaks_broker
    def beat(self, group: str, consumer: str, about: About | None = None) -> None:
        seconds, microseconds = self.redis.time()
        said: list[tuple[str, str | bytes]] = [
            (keys.beats(group), ""),
            (keys.seen(group), str(seconds * 1000 + microseconds // 1000)),
        ]
        if about:
            said.append((keys.about(group), msgspec.json.encode(about)))
        self._run_many("beat", [([key], [consumer, what]) for key, what in said])

    @speaks_broker
    def abouts(self, group: str) -> dict[str, About]:
        return abouts_from(self.redis.hgetall(keys.about(group)))

    @speaks_broker
    def beats(self, group: str) -> dict[str, str]:
        known: dict[str, str] = {name.decode(): "" for name in self._holders(group)}
        for name, beat in self.redis.hgetall(keys.beats(group)).items():
            known[name.decode()] = beat.decode()
        return known

    def _holders(self, group: str) -> set[bytes]:
        """Everybody Redis knows as a consumer of this group, also if they never beat."""
        names: set[bytes] = set()
        mine = [(t, p) for t, p, g in self._joined if g == group]
        with self.redis.pipeline(transaction=False) as pipe:
            for topic, partition in mine:
                pipe.xinfo_consumers(keys.log(topic, partition), group)
                pipe.hvals(keys.holders(topic, partition, group))
            replies = pipe.execute()
        for consumers, holders in pairs(replies):
            names.update(consumer["name"] for consumer in consumers)
            names.update(holders)
        return names

    @speaks_broker
    def others_are_live(self, group: str, within_s: float) -> bool:
        where = [(topic, partition) for topic, found in self._partitions(list(self.topics)) for partition in found]
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for place in where:
                pipe.xrevrange(keys.log(*place), count=1)
                pipe.xinfo_groups(keys.log(*place))
            (seconds, microseconds), *replies = pipe.execute(raise_on_error=False)
        lately_ms = seconds * 1000 + microseconds / 1000 - within_s * 1000
        for newest, groups in pairs(replies):
            if isinstance(groups, Exception) or not newest:  # no log yet: nobody reads it
                continue
            told_ms, _ = parts(newest[0][0])
            read_ms = [parts(one["last-delivered-id"])[0] for one in groups if one["name"].decode() != group]
            if told_ms >= lately_ms and any(ms >= told_ms - within_s * 1000 for ms in read_ms):
                return True
        return False

    @speaks_broker
    def pause(self, group: str) -> None:
        self.redis.sadd(keys.PAUSED, group)

    @speaks_broker
    def resume(self, group: str) -> None:
        self.redis.srem(keys.PAUSED, group)

    @speaks_broker
    def is_paused(self, group: str) -> bool:
        return bool(self.redis.sismember(keys.PAUSED, group))

    @speaks_broker
    def leave(self, group: str, consumer: str, topics: Sequence[str]) -> None:
        gone = [
            self._scripts["leave"](
                keys=[keys.log(topic, partition), keys.holders(topic, partition, group)],
                args=[group, consumer],
            )
            for topic, partition in self._join(group, topics)
        ]
        if all(gone):
            self.redis.hdel(keys.beats(group), consumer)
            self.redis.hdel(keys.seen(group), consumer)
            self.redis.hdel(keys.about(group), consumer)


def abouts_from(fields: Mapping[bytes, bytes]) -> dict[str, About]:
    """What `keys.about` holds."""
    return {name.decode(): msgspec.json.decode(text, type=About) for name, text in fields.items()}
