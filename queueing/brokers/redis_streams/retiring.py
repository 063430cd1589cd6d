"""Groups that nobody declares any more: found, and forgotten."""

from __future__ import annotations

from queueing import keys
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker

OF_A_PARTITION = (
    keys.counters, keys.series, keys.retry, keys.holders, keys.waiting, keys.lease, keys.heads, keys.parked, keys.dead,
    keys.graves, keys.quarantined, keys.purged, keys.leaving, keys.arrived,
)  # fmt: skip


class Retiring(RedisBase):
    @speaks_broker
    def places_of_groups(self) -> dict[str, list[tuple[str, str]]]:
        """Every group that began anywhere, whether or not it is declared → topic and partition of each log it reads."""
        where = [(topic, partition) for topic, found in self._partitions(list(self.topics)) for partition in found]
        with self.redis.pipeline(transaction=False) as pipe:
            for place in where:
                pipe.xinfo_groups(keys.log(*place))
            replies = pipe.execute(raise_on_error=False)
        groups: dict[str, list[tuple[str, str]]] = {}
        for place, infos in zip(where, replies, strict=True):
            for info in [] if isinstance(infos, Exception) else infos:  # no log yet: nobody reads it
                groups.setdefault(info["name"].decode(), []).append(place)
        return groups

    @speaks_broker
    def last_beat_ago_s(self, group: str) -> float | None:
        """Of any of its consumers, by Redis's clock. None: none is known."""
        beats = self.redis.hvals(keys.seen(group))
        seconds, microseconds = self.redis.time()
        return seconds + microseconds / 1e6 - max(map(int, beats)) / 1000 if beats else None

    @speaks_broker
    def retire(self, group: str) -> None:
        """Forget a group everywhere. Interrupted and done again, it forgets the rest."""
        for topic, found in self._partitions(list(self.topics)):
            for partition in found:
                of_group = [key(topic, partition, group) for key in OF_A_PARTITION]
                self._scripts["retire"](keys=[keys.log(topic, partition), *of_group], args=[group])
            self.redis.unlink(keys.rate(group, topic))
        for key in (keys.beats, keys.seen, keys.about, keys.start, keys.caps, keys.rate):
            self.redis.unlink(key(group))
        self.redis.srem(keys.PAUSED, group)
        self._forget_places()
