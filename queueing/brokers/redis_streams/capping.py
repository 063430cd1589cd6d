"""Caps: charging messages to one, and setting one while consumers run."""

from __future__ import annotations

from queueing import keys
from queueing.broker import SAVED_UP_S
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker

OFF = b"off"


class Capping(RedisBase):
    @speaks_broker
    def charge(
        self, group: str, messages: int, rate: float, *, topic: str = "", saved_up_s: float = SAVED_UP_S
    ) -> float:
        arguments = [rate, saved_up_s, messages, SAVED_UP_S]
        return int(self._scripts["charge"](keys=[keys.rate(group, topic)], args=arguments)) / 1_000_000

    @speaks_broker
    def rates(self, group: str) -> dict[str, float | None]:
        return caps_from(self.redis.hgetall(keys.caps(group)))

    @speaks_broker
    def set_rate(self, group: str, rate: float | None, *, topic: str = "") -> None:
        self.redis.hset(keys.caps(group), topic, OFF if rate is None else repr(rate))

    @speaks_broker
    def forget_rate(self, group: str, *, topic: str = "") -> None:
        self.redis.hdel(keys.caps(group), topic)


def caps_from(fields: dict[bytes, bytes]) -> dict[str, float | None]:
    """What `keys.caps` holds."""
    return {topic.decode(): None if rate == OFF else float(rate) for topic, rate in fields.items()}
